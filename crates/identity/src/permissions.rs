//! Every permission there is.

use loam_kernel::{Error, Result};

/// Permissions: `*` for everything, or these.
pub const ALL: &[&str] = &[
    "gateway:call",
    "tenants:read",
    "tenants:write",
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
    "system_config:write",
    "api_logs:read",
    "error_logs:read",
    "database:read",
    "metrics:read",
];

/// Refuses a list with a permission that doesn't exist, naming its place.
pub(crate) fn check(param: &str, scopes: &[String]) -> Result<()> {
    if scopes.is_empty() {
        return Err(Error::invalid(param, "must name at least one permission"));
    }
    match scopes.iter().position(|scope| scope != "*" && !ALL.contains(&scope.as_str())) {
        Some(i) => {
            let message = format!("there is no such permission; there are `*`, `{}`", ALL.join("`, `"));
            Err(Error::invalid(format!("{param}[{i}]"), message))
        }
        None => Ok(()),
    }
}
