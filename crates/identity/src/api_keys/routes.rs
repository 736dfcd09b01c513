//! The routes of API keys.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Json, Path, Query, Tagged, created};
use loam_kernel::{ApiKeyId, Page, PageQuery, ProjectId, UserId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::creator::Creator;
use super::entity::Model;
use super::service::{ApiKeyCreate, ApiKeyFilter, NewKey};
use crate::Identity;

/// A credential, without the key itself.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyView {
    id: ApiKeyId,
    name: String,
    /// Prefix of the key, for recognition.
    prefix: String,
    /// Permissions; `*` for all.
    #[schema(value_type = Vec<String>)]
    scopes: Value,
    user_id: Option<UserId>,
    project_id: Option<ProjectId>,
    /// The creator, as named in the audit trail, whose current permissions limit the key. Null if the instance created it.
    made_by: Option<String>,
    /// Web origins whose pages can use it; null: those of the instance.
    #[schema(value_type = Option<Vec<String>>)]
    allowed_origins: Option<Value>,
    expires_at: Option<DateTime<Utc>>,
    /// Time of the last use, accurate to half a minute.
    last_used_at: Option<DateTime<Utc>>,
    /// Time of revocation; null while the key is valid.
    revoked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A new credential with its key, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyCreated {
    #[serde(flatten)]
    view: ApiKeyView,
    /// The key. Store it: it is not shown again.
    key: String,
}

impl From<Model> for ApiKeyView {
    fn from(row: Model) -> Self {
        Self {
            made_by: Creator::of(&row).label(),
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            scopes: row.scopes,
            user_id: row.user_id,
            project_id: row.project_id,
            allowed_origins: row.allowed_origins,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<NewKey> for ApiKeyCreated {
    fn from(new: NewKey) -> Self {
        Self { view: new.row.into(), key: new.key.to_string() }
    }
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, revoke))
        .routes(routes!(take_over))
        .with_state(identity)
}

/// Lists the tenant's keys, including revoked ones, newest first.
#[utoipa::path(
    get, path = "/api/v1/api_keys", tag = "api_keys", operation_id = "api_keys_list",
    params(ApiKeyFilter, PageQuery),
    responses((status = 200, body = Page<ApiKeyView>)),
    security(("api_key" = ["api_keys:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(filter): Query<ApiKeyFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<ApiKeyView>>> {
    Ok(Answer(identity.list_api_keys(&scope, &filter, &page).await?.map(ApiKeyView::from)))
}

/// Creates a key. Its permissions can't exceed yours, now or later: it loses the permissions that you lose, and becomes
/// invalid with your credential unless somebody takes it over. Only this response contains the key.
#[utoipa::path(
    post, path = "/api/v1/api_keys", tag = "api_keys", operation_id = "api_keys_create",
    request_body = ApiKeyCreate,
    responses((status = 201, body = ApiKeyCreated)),
    extensions(("x-errors" = json!({"403": ["bound_to_project", "not_exchangeable"], "409": ["too_deep"]}))),
    security(("api_key" = ["api_keys:write"]))
)]
async fn create(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Json(new): Json<ApiKeyCreate>,
) -> ApiResult<Tagged<ApiKeyCreated>> {
    let new = identity.create_api_key(&scope, new).await?;
    Ok(created(new.row.updated_at, new.into()))
}

/// Returns a key's data, without the key itself.
#[utoipa::path(
    get, path = "/api/v1/api_keys/{id}", tag = "api_keys", operation_id = "api_keys_get",
    params(("id" = ApiKeyId, Path)),
    responses((status = 200, body = ApiKeyView)),
    security(("api_key" = ["api_keys:read"]))
)]
async fn get(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ApiKeyId>,
) -> ApiResult<Tagged<ApiKeyView>> {
    let key = identity.get_api_key(&scope, id).await?;
    Ok(Tagged::new(key.updated_at, key.into()))
}

/// Makes you the creator of a key.
///
/// Your permissions then limit it instead of those of the previous creator. Use it before the creator leaves, or before the key that created it is revoked.
#[utoipa::path(
    post, path = "/api/v1/api_keys/{id}/take_over", tag = "api_keys", operation_id = "api_keys_take_over",
    params(("id" = ApiKeyId, Path)),
    responses((status = 200, body = ApiKeyView)),
    extensions(("x-errors" = json!({
        "403": ["bound_to_project", "not_exchangeable"],
        "409": ["made_with_it", "too_deep", "wrong_state"]
    }))),
    security(("api_key" = ["api_keys:write"]))
)]
async fn take_over(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ApiKeyId>,
) -> ApiResult<Tagged<ApiKeyView>> {
    let key = identity.take_over_api_key(&scope, id).await?;
    Ok(Tagged::new(key.updated_at, key.into()))
}

/// Revokes a key and all keys that were created with it. They are invalid on all nodes within a second, and stay listed.
#[utoipa::path(
    delete, path = "/api/v1/api_keys/{id}", tag = "api_keys", operation_id = "api_keys_revoke",
    params(("id" = ApiKeyId, Path)),
    responses((status = 204)),
    security(("api_key" = ["api_keys:write"]))
)]
async fn revoke(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ApiKeyId>,
) -> ApiResult<StatusCode> {
    identity.revoke_api_key(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
