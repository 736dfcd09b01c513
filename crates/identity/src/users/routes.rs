//! The routes of users.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{Page, PageQuery, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::service::{UserCreate, UserFilter, UserUpdate};
use crate::Identity;
use crate::erasures::routes::ErasureView;

/// A user of the tenant.
#[derive(Serialize, ToSchema)]
pub struct UserView {
    id: UserId,
    username: String,
    email: String,
    full_name: Option<String>,
    #[schema(value_type = Vec<String>)]
    roles: Value,
    external_id: Option<String>,
    is_active: bool,
    /// Whether the user can log in with a password.
    has_password: bool,
    /// Whether the password was set by somebody else and must be changed at the next log-in.
    password_change_required: bool,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for UserView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            username: row.username,
            email: row.email,
            full_name: row.full_name,
            roles: row.roles,
            external_id: row.external_id,
            is_active: row.is_active,
            has_password: row.password_hash.is_some(),
            password_change_required: row.password_reset_at.is_some(),
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A one-time password, which must be changed at the next log-in; it is shown only once.
#[derive(Serialize, ToSchema)]
pub struct PasswordReset {
    /// The password. It is valid for three days.
    password: String,
}

impl PasswordReset {
    /// The response of `reset_password`.
    pub fn new(password: &str) -> Self {
        Self { password: password.to_owned() }
    }
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(reset_password))
        .with_state(identity)
}

/// Lists the tenant's users, newest first.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", operation_id = "users_list",
    params(UserFilter, PageQuery),
    responses((status = 200, body = Page<UserView>)),
    security(("api_key" = ["users:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(filter): Query<UserFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<UserView>>> {
    Ok(Answer(identity.list_users(&scope, filter, &page).await?.map(UserView::from)))
}

/// Creates a user.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", operation_id = "users_create",
    request_body = UserCreate,
    responses((status = 201, body = UserView)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["users:write"]))
)]
async fn create(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Json(new): Json<UserCreate>,
) -> ApiResult<Tagged<UserView>> {
    let user = identity.create_user(&scope, new).await?;
    Ok(created(user.updated_at, user.into()))
}

/// Returns a user.
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "users", operation_id = "users_get",
    params(("id" = UserId, Path)),
    responses((status = 200, body = UserView)),
    security(("api_key" = ["users:read"]))
)]
async fn get(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<UserId>,
) -> ApiResult<Tagged<UserView>> {
    let user = identity.get_user(&scope, id).await?;
    Ok(Tagged::new(user.updated_at, user.into()))
}

/// Changes a user.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "users", operation_id = "users_update",
    params(("id" = UserId, Path), ("If-Match" = Option<String>, Header)),
    request_body = UserUpdate,
    responses((status = 200, body = UserView)),
    extensions(("x-errors" = json!({"409": ["already_exists", "last_owner"]}))),
    security(("api_key" = ["users:write"]))
)]
async fn update(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<UserId>,
    IfMatch(version): IfMatch,
    Json(new): Json<UserUpdate>,
) -> ApiResult<Tagged<UserView>> {
    let user = identity.update_user(&scope, id, &version, new).await?;
    Ok(Tagged::new(user.updated_at, user.into()))
}

/// Options of a deletion.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UserDeletion {
    /// True: the response is the erasure, whose receipt reports what was removed where.
    #[serde(default)]
    erase: bool,
}

/// Deletes a user with all data about them.
///
/// Keys and login sessions are deleted immediately, and all other data (conversations, bodies of calls, request records)
/// by an erasure, which takes a while. This can't be undone.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}", tag = "users", operation_id = "users_delete",
    params(("id" = UserId, Path), UserDeletion),
    responses(
        (status = 204), (status = 202, body = ErasureView, description = "with `erase=true`"),
    ),
    extensions(("x-errors" = json!({"409": ["erasure_running", "last_owner", "in_use"]}))),
    security(("api_key" = ["users:write"]))
)]
async fn delete(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<UserId>,
    Query(deletion): Query<UserDeletion>,
) -> ApiResult<Response> {
    let erasure = identity.delete_user(&scope, id).await?;
    Ok(match deletion.erase {
        true => (StatusCode::ACCEPTED, Answer(ErasureView::from(erasure))).into_response(),
        false => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Resets a user's password. The new one is shown only once and must be changed at the next log-in; the user's sessions
/// end. The caller needs all permissions of the user.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/password_reset", tag = "users", operation_id = "users_reset_password",
    params(("id" = UserId, Path)),
    responses((status = 200, body = PasswordReset)),
    extensions(("x-errors" = json!({"429": ["login_busy"]}))),
    security(("api_key" = ["users:write"]))
)]
async fn reset_password(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<UserId>,
) -> ApiResult<impl IntoResponse> {
    let password = identity.reset_password(&scope, id).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Answer(PasswordReset::new(&password))))
}
