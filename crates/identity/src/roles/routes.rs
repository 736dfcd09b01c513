//! The routes of roles.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{Page, PageQuery, RoleId};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::built_in;
use super::entity::Model;
use super::service::{Role, RoleCreate, RoleFilter, RoleUpdate};
use crate::Identity;

/// A role: a named set of permissions.
#[derive(Serialize, ToSchema)]
pub struct RoleView {
    id: RoleId,
    /// Name that users are assigned.
    name: String,
    /// Description.
    description: String,
    /// Permissions; `*` for all.
    #[schema(value_type = Vec<String>)]
    permissions: Value,
    /// Whether it is built-in: the same for every tenant, and immutable.
    built_in: bool,
    /// Null for a built-in role.
    created_at: Option<DateTime<Utc>>,
    /// Null for a built-in role.
    updated_at: Option<DateTime<Utc>>,
}

impl From<Model> for RoleView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            permissions: row.permissions,
            built_in: false,
            created_at: Some(row.created_at),
            updated_at: Some(row.updated_at),
        }
    }
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        let id = role.id();
        match role {
            Role::Own(row) => row.into(),
            Role::BuiltIn(place) => {
                let role = &built_in::ALL[place];
                Self {
                    id,
                    name: role.name.to_owned(),
                    description: role.description.to_owned(),
                    permissions: json!(role.permissions()),
                    built_in: true,
                    created_at: None,
                    updated_at: None,
                }
            }
        }
    }
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .with_state(identity)
}

/// Lists all roles: the tenant's own, newest first, then the built-in ones.
#[utoipa::path(
    get, path = "/api/v1/roles", tag = "roles", operation_id = "roles_list",
    params(RoleFilter, PageQuery),
    responses((status = 200, body = Page<RoleView>)),
    security(("api_key" = ["roles:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(filter): Query<RoleFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<RoleView>>> {
    Ok(Answer(identity.list_roles(&scope, &filter, &page).await?.map(RoleView::from)))
}

/// Creates a role with permissions that you have.
#[utoipa::path(
    post, path = "/api/v1/roles", tag = "roles", operation_id = "roles_create",
    request_body = RoleCreate,
    responses((status = 201, body = RoleView)),
    extensions(("x-errors" = json!({"409": ["already_exists", "built_in_role"]}))),
    security(("api_key" = ["roles:write"]))
)]
async fn create(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Json(new): Json<RoleCreate>,
) -> ApiResult<Tagged<RoleView>> {
    let role = identity.create_role(&scope, new).await?;
    Ok(created(role.updated_at, role.into()))
}

/// Returns a role.
#[utoipa::path(
    get, path = "/api/v1/roles/{id}", tag = "roles", operation_id = "roles_get",
    params(("id" = RoleId, Path)),
    responses((status = 200, body = RoleView)),
    security(("api_key" = ["roles:read"]))
)]
async fn get(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<RoleId>,
) -> ApiResult<Tagged<RoleView>> {
    let view = RoleView::from(identity.get_role(&scope, id).await?);
    Ok(Tagged::new(view.updated_at.unwrap_or_default(), view))
}

/// Changes a role. The new permissions apply to its users within a second.
#[utoipa::path(
    patch, path = "/api/v1/roles/{id}", tag = "roles", operation_id = "roles_update",
    params(("id" = RoleId, Path), ("If-Match" = Option<String>, Header)),
    request_body = RoleUpdate,
    responses((status = 200, body = RoleView)),
    extensions(("x-errors" = json!({"409": ["already_exists", "built_in_role", "last_owner"]}))),
    security(("api_key" = ["roles:write"]))
)]
async fn update(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<RoleId>,
    IfMatch(version): IfMatch,
    Json(new): Json<RoleUpdate>,
) -> ApiResult<Tagged<RoleView>> {
    let role = identity.update_role(&scope, id, &version, new).await?;
    Ok(Tagged::new(role.updated_at, role.into()))
}

/// Deletes a role that is not in use.
#[utoipa::path(
    delete, path = "/api/v1/roles/{id}", tag = "roles", operation_id = "roles_delete",
    params(("id" = RoleId, Path)),
    responses((status = 204)),
    extensions(("x-errors" = json!({"409": ["built_in_role", "in_use"]}))),
    security(("api_key" = ["roles:write"]))
)]
async fn delete(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<RoleId>,
) -> ApiResult<StatusCode> {
    identity.delete_role(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
