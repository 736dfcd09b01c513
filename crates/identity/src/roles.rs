//! The built-in roles.

use axum::Json;
use loam_http::surface::{ApiResult, Caller, ErrorBody};
use loam_kernel::{Error, Page, Result};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// A role: a name for a set of permissions.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Role {
    /// What users carry.
    #[schema(value_type = String)]
    pub(crate) name: &'static str,
    /// What it is for.
    #[schema(value_type = String)]
    description: &'static str,
    /// What it allows.
    #[schema(value_type = Vec<String>)]
    permissions: &'static [&'static str],
    /// Built in: it can't be changed.
    built_in: bool,
}

const BUILT_IN: [Role; 7] = [
    role("operator", "manages tenants and the instance; only in the tenant `default`", &["*"]),
    role("owner", "everything within the tenant", &["*"]),
    role(
        "admin",
        "everything within the tenant but the tenant itself",
        &[
            "gateway:call",
            "users:read",
            "users:write",
            "roles:read",
            "projects:read",
            "projects:write",
            "api_keys:read",
            "api_keys:write",
            "ai_providers:read",
            "ai_providers:write",
            "model_prices:read",
            "model_prices:write",
            "model_routes:read",
            "model_routes:write",
            "limits:read",
            "limits:write",
            "usage:read",
            "llm_calls:read",
            "jobs:read",
            "jobs:write",
            "audit_logs:read",
            "journal_quarantine:read",
            "system_config:read",
            "api_logs:read",
            "error_logs:read",
        ],
    ),
    role(
        "developer",
        "builds applications: projects, providers, calls",
        &[
            "gateway:call",
            "projects:read",
            "projects:write",
            "api_keys:read",
            "ai_providers:read",
            "ai_providers:write",
            "model_prices:read",
            "model_routes:read",
            "model_routes:write",
            "limits:read",
            "usage:read",
            "llm_calls:read",
            "jobs:read",
            "api_logs:read",
            "error_logs:read",
        ],
    ),
    role(
        "analyst",
        "reads calls and costs",
        &[
            "projects:read",
            "ai_providers:read",
            "model_prices:read",
            "model_routes:read",
            "llm_calls:read",
            "usage:read",
        ],
    ),
    role(
        "viewer",
        "sees what there is",
        &["projects:read", "ai_providers:read", "model_prices:read", "model_routes:read"],
    ),
    role("user", "calls models", &["gateway:call"]),
];

const fn role(name: &'static str, description: &'static str, permissions: &'static [&'static str]) -> Role {
    Role { name, description, permissions, built_in: true }
}

/// Refuses a role that doesn't exist, naming its place.
pub(crate) fn check(roles: &[String]) -> Result<()> {
    match roles.iter().position(|role| BUILT_IN.iter().all(|known| known.name != role)) {
        Some(i) => {
            let names: Vec<&str> = BUILT_IN.iter().map(|role| role.name).collect();
            let message = format!("there is no such role; there are `{}`", names.join("`, `"));
            Err(Error::invalid(format!("roles[{i}]"), message))
        }
        None => Ok(()),
    }
}

/// What a role allows; nothing for one that doesn't exist.
pub(crate) fn permissions(name: &str) -> &'static [&'static str] {
    BUILT_IN.iter().find(|role| role.name == name).map_or(&[], |role| role.permissions)
}

pub(crate) fn router() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list))
}

/// The roles that users can have.
#[utoipa::path(
    get, path = "/api/v1/roles", tag = "roles", operation_id = "roles_list",
    responses((status = 200, body = Page<Role>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["roles:read"]))
)]
async fn list(_: Caller) -> ApiResult<Json<Page<Role>>> {
    Ok(Json(Page { data: BUILT_IN.to_vec(), next_cursor: None }))
}
