//! The routes of the live configuration.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged};
use loam_kernel::{Error, ExpectedVersion, Page, PageQuery, Result, Scope, SystemConfigVersionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::live::SystemConfig;
use super::service::{Change, Level, ResolvedKey, Source};
use super::{store, versions};
use crate::operators;

/// A key of the live configuration with its effective value.
#[derive(Serialize, ToSchema)]
pub struct SystemConfigView {
    config_key: String,
    /// First part of the key.
    category: String,
    /// Description.
    description: String,
    /// The effective value: the default, overlaid by the instance's value, overlaid by the tenant's.
    config_value: Value,
    /// The highest level at which a value is set.
    source: Source,
    /// The requested level.
    level: Level,
    /// The value that is set at this level; null if none is.
    set_value: Option<Value>,
    /// Whether a value is set at this level.
    is_active: bool,
    /// Number of changes at this level.
    version: i64,
    /// The default value.
    default_value: Value,
    /// Whether a tenant can set its own value.
    per_tenant: bool,
    /// The JSON Schema of the value.
    value_schema: Value,
    /// Time of the last change at this level.
    updated_at: Option<DateTime<Utc>>,
}

impl From<ResolvedKey<'_>> for SystemConfigView {
    fn from(resolved: ResolvedKey<'_>) -> Self {
        let (declared, row) = (resolved.declared, resolved.row);
        Self {
            config_key: declared.name.to_owned(),
            category: declared.category.to_owned(),
            description: declared.description.to_owned(),
            config_value: resolved.value,
            source: resolved.source,
            level: resolved.level,
            is_active: row.as_ref().is_some_and(|row| row.is_active),
            version: row.as_ref().map_or(0, |row| row.version),
            default_value: declared.default.clone(),
            per_tenant: declared.per_tenant,
            value_schema: declared.schema.clone(),
            updated_at: row.as_ref().map(|row| row.updated_at),
            set_value: row.filter(|row| row.is_active).map(|row| row.config_value),
        }
    }
}

/// A version of a value.
#[derive(Serialize, ToSchema)]
pub struct SystemConfigVersionView {
    id: SystemConfigVersionId,
    config_key: String,
    version: i64,
    /// `set`, `update`, `unset` or `rollback`.
    action: String,
    /// The previous value; null if none was set.
    old_value: Option<Value>,
    /// The new value; null if it was unset.
    new_value: Option<Value>,
    /// The actor.
    actor: String,
    request_id: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<versions::Model> for SystemConfigVersionView {
    fn from(row: versions::Model) -> Self {
        Self {
            id: row.id,
            config_key: row.config_key,
            version: row.version,
            action: row.action,
            old_value: row.old_value,
            new_value: row.new_value,
            actor: row.actor,
            request_id: row.request_id,
            created_at: row.created_at,
        }
    }
}

/// All keys.
#[derive(Serialize, ToSchema)]
pub struct SystemConfigKeys {
    data: Vec<SystemConfigView>,
}

/// A new value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemConfigPut {
    /// The value; omitted fields take the value of the level below.
    pub config_value: Value,
}

/// A change of a value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemConfigUpdate {
    /// A merge patch (RFC 7396) for the value. Null removes a field, or is its new value if its schema allows null.
    pub config_value: Option<Value>,
    /// False unsets the value, true restores the last one.
    pub is_active: Option<bool>,
}

/// The target of a rollback.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemConfigRollback {
    /// The number of an earlier version, whose value is restored.
    #[schema(value_type = i64)]
    pub version: Option<i64>,
}

/// The level of a value.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LevelQuery {
    /// `global` for the instance (operators only, and their default), `tenant` for the caller's tenant (the default for
    /// everybody else).
    #[param(inline)]
    level: Option<Level>,
}

/// Filters for keys.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CategoryQuery {
    /// Only keys of this category.
    category: Option<String>,
}

fn level_of(scope: &Scope, query: &LevelQuery) -> Result<Level> {
    match query.level {
        None if scope.is_operator() => Ok(Level::Global),
        None | Some(Level::Tenant) => Ok(Level::Tenant),
        Some(Level::Global) => operators::require(scope, Some("level")).map(|()| Level::Global),
    }
}

async fn change(
    config: &SystemConfig,
    scope: &Scope,
    query: &LevelQuery,
    key: &str,
    version: &ExpectedVersion,
    change: Change,
) -> ApiResult<Tagged<SystemConfigView>> {
    let level = level_of(scope, query)?;
    Ok(tagged(config.change(scope, level, key, version, change).await?))
}

fn tagged(resolved: ResolvedKey<'_>) -> Tagged<SystemConfigView> {
    let view = SystemConfigView::from(resolved);
    Tagged::new(view.updated_at.unwrap_or(store::UNSET), view)
}

/// The routes.
pub fn router(config: SystemConfig) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, put, update, delete))
        .routes(routes!(list_versions))
        .routes(routes!(rollback))
        .with_state(config)
}

/// Lists the keys with their effective values and sources. A tenant sees the keys that it can set.
#[utoipa::path(
    get, path = "/api/v1/system_config", tag = "system_config", operation_id = "system_config_keys",
    params(CategoryQuery, LevelQuery),
    responses((status = 200, body = SystemConfigKeys)),
    security(("api_key" = ["system_config:read"]))
)]
async fn list(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Query(filter): Query<CategoryQuery>,
    Query(level): Query<LevelQuery>,
) -> ApiResult<Answer<SystemConfigKeys>> {
    let level = level_of(&scope, &level)?;
    let resolved = config.list(&scope, level, filter.category.as_deref()).await?;
    Ok(Answer(SystemConfigKeys { data: resolved.into_iter().map(SystemConfigView::from).collect() }))
}

/// Returns a key with its effective value.
#[utoipa::path(
    get, path = "/api/v1/system_config/{key}", tag = "system_config", operation_id = "system_config_get",
    params(("key" = String, Path), LevelQuery),
    responses((status = 200, body = SystemConfigView)),
    extensions(("x-errors" = json!({"404": ["unknown_config_key"]}))),
    security(("api_key" = ["system_config:read"]))
)]
async fn get(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
) -> ApiResult<Tagged<SystemConfigView>> {
    let level = level_of(&scope, &level)?;
    Ok(tagged(config.get(&scope, level, &key).await?))
}

/// Sets a value. It applies on all nodes within a second.
#[utoipa::path(
    put, path = "/api/v1/system_config/{key}", tag = "system_config", operation_id = "system_config_set",
    params(("key" = String, Path), LevelQuery, ("If-Match" = Option<String>, Header)),
    request_body = SystemConfigPut,
    responses((status = 200, body = SystemConfigView)),
    extensions(("x-errors" = json!({"404": ["unknown_config_key"], "409": ["changed_meanwhile"]}))),
    security(("api_key" = ["system_config:write"]))
)]
async fn put(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    IfMatch(version): IfMatch,
    Json(new): Json<SystemConfigPut>,
) -> ApiResult<Tagged<SystemConfigView>> {
    change(&config, &scope, &level, &key, &version, Change::Set(new.config_value)).await
}

/// Changes fields of a value, unsets it, or restores it.
#[utoipa::path(
    patch, path = "/api/v1/system_config/{key}", tag = "system_config", operation_id = "system_config_update",
    params(("key" = String, Path), LevelQuery, ("If-Match" = Option<String>, Header)),
    request_body = SystemConfigUpdate,
    responses((status = 200, body = SystemConfigView)),
    extensions(("x-errors" = json!({
        "404": ["unknown_config_key", "not_set"],
        "409": ["changed_meanwhile"]
    }))),
    security(("api_key" = ["system_config:write"]))
)]
async fn update(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    IfMatch(version): IfMatch,
    Json(new): Json<SystemConfigUpdate>,
) -> ApiResult<Tagged<SystemConfigView>> {
    change(&config, &scope, &level, &key, &version, Change::Update(new.config_value, new.is_active)).await
}

/// Unsets a value: the value of the level below applies again.
#[utoipa::path(
    delete, path = "/api/v1/system_config/{key}", tag = "system_config", operation_id = "system_config_unset",
    params(("key" = String, Path), LevelQuery, ("If-Match" = Option<String>, Header)),
    responses((status = 204)),
    extensions(("x-errors" = json!({
        "404": ["unknown_config_key", "not_set"],
        "409": ["changed_meanwhile"]
    }))),
    security(("api_key" = ["system_config:write"]))
)]
async fn delete(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    IfMatch(version): IfMatch,
) -> ApiResult<StatusCode> {
    change(&config, &scope, &level, &key, &version, Change::Unset).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the versions of a value, newest first.
#[utoipa::path(
    get, path = "/api/v1/system_config/{key}/versions", tag = "system_config", operation_id = "system_config_versions_list",
    params(("key" = String, Path), LevelQuery, PageQuery),
    responses((status = 200, body = Page<SystemConfigVersionView>)),
    extensions(("x-errors" = json!({"404": ["unknown_config_key"]}))),
    security(("api_key" = ["system_config:read"]))
)]
async fn list_versions(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<SystemConfigVersionView>>> {
    let level = level_of(&scope, &level)?;
    let page = config.versions(&scope, level, &key, &page).await?;
    Ok(Answer(page.map(SystemConfigVersionView::from)))
}

/// Restores the value of an earlier version, as a new version.
#[utoipa::path(
    post, path = "/api/v1/system_config/{key}/rollback", tag = "system_config", operation_id = "system_config_rollback",
    params(("key" = String, Path), LevelQuery, ("If-Match" = Option<String>, Header)),
    request_body = SystemConfigRollback,
    responses((status = 200, body = SystemConfigView)),
    extensions(("x-errors" = json!({"404": ["unknown_config_key"], "409": ["changed_meanwhile"]}))),
    security(("api_key" = ["system_config:write"]))
)]
async fn rollback(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    IfMatch(version): IfMatch,
    Json(back): Json<SystemConfigRollback>,
) -> ApiResult<Tagged<SystemConfigView>> {
    let at = level_of(&scope, &level)?;
    // an unknown key is reported first
    config.get(&scope, at, &key).await?;
    let number = back
        .version
        .ok_or_else(|| Error::invalid("version", "is missing: the number of an earlier version"))?;
    change(&config, &scope, &level, &key, &version, Change::Rollback(number)).await
}
