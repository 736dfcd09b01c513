//! The routes of API keys.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Json, Path, Query, Tagged, created};
use loam_kernel::{ApiKeyId, Page, PageQuery, ProjectId, UserId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::maker::Maker;
use super::service::{ApiKeyCreate, ApiKeyFilter, NewKey};
use crate::Identity;

/// A credential, without the key itself.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyView {
    id: ApiKeyId,
    name: String,
    /// The beginning of the key, to recognise it by.
    prefix: String,
    /// Permissions; `*` is everything.
    #[schema(value_type = Vec<String>)]
    scopes: Value,
    user_id: Option<UserId>,
    project_id: Option<ProjectId>,
    /// Who made it, as the audit trail names them: it never may more than they may at the time. Null when that was the
    /// instance itself.
    made_by: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    /// To the half minute.
    last_used_at: Option<DateTime<Utc>>,
    /// Set: it no longer works.
    revoked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A new credential with its key, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyCreated {
    #[serde(flatten)]
    view: ApiKeyView,
    /// The key. Keep it: it is not shown again.
    key: String,
}

impl From<Model> for ApiKeyView {
    fn from(row: Model) -> Self {
        Self {
            made_by: Maker::of(&row).label(),
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            scopes: row.scopes,
            user_id: row.user_id,
            project_id: row.project_id,
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

/// The tenant's keys, newest first; revoked ones too.
#[utoipa::path(
    get, path = "/api/v1/api_keys", tag = "api_keys", operation_id = "api_keys_list",
    params(ApiKeyFilter, PageQuery),
    responses((status = 200, body = Page<ApiKeyView>), (status = "4XX", body = ErrorBody)),
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

/// Makes a key, with no more rights than your own, now and whenever it is used: it loses what you lose, and ends with
/// you, unless somebody takes it over. The key is in this answer alone.
#[utoipa::path(
    post, path = "/api/v1/api_keys", tag = "api_keys", operation_id = "api_keys_create",
    request_body = ApiKeyCreate,
    responses((status = 201, body = ApiKeyCreated), (status = "4XX", body = ErrorBody)),
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

/// One key, without the key itself.
#[utoipa::path(
    get, path = "/api/v1/api_keys/{id}", tag = "api_keys", operation_id = "api_keys_get",
    params(("id" = ApiKeyId, Path)),
    responses((status = 200, body = ApiKeyView), (status = "4XX", body = ErrorBody)),
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

/// Makes you the maker of a key: from then on it may no more than you may, in place of who made it. So keys go on
/// working when their maker is about to leave, or the key that made them is about to be revoked.
#[utoipa::path(
    post, path = "/api/v1/api_keys/{id}/take_over", tag = "api_keys", operation_id = "api_keys_take_over",
    params(("id" = ApiKeyId, Path)),
    responses((status = 200, body = ApiKeyView), (status = "4XX", body = ErrorBody)),
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

/// Revokes a key, and with it those that were made with it: within a second they work nowhere. It stays listed.
#[utoipa::path(
    delete, path = "/api/v1/api_keys/{id}", tag = "api_keys", operation_id = "api_keys_revoke",
    params(("id" = ApiKeyId, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)),
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
