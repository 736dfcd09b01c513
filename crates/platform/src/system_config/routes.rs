//! The routes of the live configuration.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, IfMatch, Json, Path, Query, Tagged};
use loam_kernel::{Error, Page, PageQuery, Result, Scope, SystemConfigVersionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::live::SystemConfig;
use super::service::{Change, Level, Shown, Source};
use super::{store, versions};
use crate::operators;

/// A key of the live configuration, with what holds.
#[derive(Serialize, ToSchema)]
pub struct SystemConfigView {
    config_key: String,
    /// First part of the key.
    category: String,
    /// What it is for.
    description: String,
    /// What holds: the default, what is set for the instance over it, what is set for the tenant over that.
    config_value: Value,
    /// The uppermost level at which something is set.
    source: Source,
    /// The level that was asked for.
    level: Level,
    /// What is set at this level; null: nothing.
    set_value: Option<Value>,
    /// Whether something is set at this level.
    is_active: bool,
    /// Number of changes at this level.
    version: i64,
    /// What holds when nothing is set.
    default_value: Value,
    /// Whether a tenant can have a value of its own.
    per_tenant: bool,
    /// The JSON Schema of the value.
    value_schema: Value,
    /// When it was last changed at this level.
    updated_at: Option<DateTime<Utc>>,
}

impl From<Shown<'_>> for SystemConfigView {
    fn from(shown: Shown<'_>) -> Self {
        let (declared, row) = (shown.declared, shown.row);
        Self {
            config_key: declared.name.to_owned(),
            category: declared.category.to_owned(),
            description: declared.description.to_owned(),
            config_value: shown.value,
            source: shown.source,
            level: shown.level,
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
    /// What was set before; null: nothing.
    old_value: Option<Value>,
    /// What was set from then on; null: nothing.
    new_value: Option<Value>,
    /// Who did it.
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

/// Every key.
#[derive(Serialize, ToSchema)]
pub struct SystemConfigKeys {
    data: Vec<SystemConfigView>,
}

/// A value to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemConfigPut {
    /// The value; what its schema lets it leave out keeps the value below.
    pub config_value: Value,
}

/// A change of what is set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemConfigUpdate {
    /// A merge patch (RFC 7396) on what is set: null takes a field away.
    pub config_value: Option<Value>,
    /// False takes the value back, true puts the last one into force again.
    pub is_active: Option<bool>,
}

/// Where to go back to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemConfigRollback {
    /// The number of an earlier version: what was set from then on is set again.
    #[schema(value_type = i64)]
    pub version: Option<i64>,
}

/// Whose value is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LevelQuery {
    /// `global` for the instance (operators alone, and what they mean unless they say so), `tenant` for the caller's
    /// tenant (what everybody else means).
    #[param(inline)]
    level: Option<Level>,
}

/// Which keys to list.
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
    version: &IfMatch,
    change: Change,
) -> ApiResult<Tagged<SystemConfigView>> {
    let level = level_of(scope, query)?;
    Ok(tagged(config.change(scope, level, key, version, change).await?))
}

fn tagged(shown: Shown<'_>) -> Tagged<SystemConfigView> {
    let view = SystemConfigView::from(shown);
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

/// Every key with what holds, and where it comes from. A tenant sees the keys that it can set.
#[utoipa::path(
    get, path = "/api/v1/system_config", tag = "system_config", operation_id = "system_config_keys",
    params(CategoryQuery, LevelQuery),
    responses((status = 200, body = SystemConfigKeys), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["system_config:read"]))
)]
async fn list(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Query(filter): Query<CategoryQuery>,
    Query(level): Query<LevelQuery>,
) -> ApiResult<Answer<SystemConfigKeys>> {
    let level = level_of(&scope, &level)?;
    let shown = config.list(&scope, level, filter.category.as_deref()).await?;
    Ok(Answer(SystemConfigKeys { data: shown.into_iter().map(SystemConfigView::from).collect() }))
}

/// One key with what holds.
#[utoipa::path(
    get, path = "/api/v1/system_config/{key}", tag = "system_config", operation_id = "system_config_get",
    params(("key" = String, Path), LevelQuery),
    responses((status = 200, body = SystemConfigView), (status = "4XX", body = ErrorBody)),
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

/// Sets a value. It holds everywhere within a second.
#[utoipa::path(
    put, path = "/api/v1/system_config/{key}", tag = "system_config", operation_id = "system_config_set",
    params(("key" = String, Path), LevelQuery, ("If-Match" = Option<String>, Header)),
    request_body = SystemConfigPut,
    responses((status = 200, body = SystemConfigView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["system_config:write"]))
)]
async fn put(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    version: IfMatch,
    Json(new): Json<SystemConfigPut>,
) -> ApiResult<Tagged<SystemConfigView>> {
    change(&config, &scope, &level, &key, &version, Change::Set(new.config_value)).await
}

/// Changes some fields of a value, takes it back, or puts it into force again.
#[utoipa::path(
    patch, path = "/api/v1/system_config/{key}", tag = "system_config", operation_id = "system_config_update",
    params(("key" = String, Path), LevelQuery, ("If-Match" = Option<String>, Header)),
    request_body = SystemConfigUpdate,
    responses((status = 200, body = SystemConfigView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["system_config:write"]))
)]
async fn update(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    version: IfMatch,
    Json(new): Json<SystemConfigUpdate>,
) -> ApiResult<Tagged<SystemConfigView>> {
    change(&config, &scope, &level, &key, &version, Change::Update(new.config_value, new.is_active)).await
}

/// Takes a value back: what lies below holds again.
#[utoipa::path(
    delete, path = "/api/v1/system_config/{key}", tag = "system_config", operation_id = "system_config_unset",
    params(("key" = String, Path), LevelQuery, ("If-Match" = Option<String>, Header)),
    responses((status = 204), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["system_config:write"]))
)]
async fn delete(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    version: IfMatch,
) -> ApiResult<StatusCode> {
    change(&config, &scope, &level, &key, &version, Change::Unset).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The versions of a value, newest first.
#[utoipa::path(
    get, path = "/api/v1/system_config/{key}/versions", tag = "system_config", operation_id = "system_config_versions_list",
    params(("key" = String, Path), LevelQuery, PageQuery),
    responses((status = 200, body = Page<SystemConfigVersionView>), (status = "4XX", body = ErrorBody)),
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

/// Sets what an earlier version had set; a version of its own.
#[utoipa::path(
    post, path = "/api/v1/system_config/{key}/rollback", tag = "system_config", operation_id = "system_config_rollback",
    params(("key" = String, Path), LevelQuery, ("If-Match" = Option<String>, Header)),
    request_body = SystemConfigRollback,
    responses((status = 200, body = SystemConfigView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["system_config:write"]))
)]
async fn rollback(
    State(config): State<SystemConfig>,
    Caller(scope): Caller,
    Path(key): Path<String>,
    Query(level): Query<LevelQuery>,
    version: IfMatch,
    Json(back): Json<SystemConfigRollback>,
) -> ApiResult<Tagged<SystemConfigView>> {
    let at = level_of(&scope, &level)?;
    // an unknown key is the greater fault
    config.get(&scope, at, &key).await?;
    let number = back
        .version
        .ok_or_else(|| Error::invalid("version", "is missing: the number of an earlier version"))?;
    change(&config, &scope, &level, &key, &version, Change::Rollback(number)).await
}
