//! All permissions, each with the built-in roles that include it.

use loam_kernel::{Error, Permissions, Result};

use BuiltInRole::{Admin, Analyst, Developer, User, Viewer};

/// The built-in roles with some permissions; `operator` and `owner` have all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltInRole {
    Admin,
    Developer,
    Analyst,
    Viewer,
    User,
}

/// All permissions, with the roles that include them besides operators and owners.
const PERMISSIONS: &[(&str, &[BuiltInRole])] = &[
    ("gateway:call", &[Admin, Developer, User]),
    ("tenants:read", &[]),
    ("tenants:write", &[]),
    ("tenants:open", &[]),
    ("users:read", &[Admin]),
    ("users:write", &[Admin]),
    ("roles:read", &[Admin]),
    ("roles:write", &[Admin]),
    ("login_sessions:read", &[Admin]),
    ("login_sessions:write", &[Admin]),
    ("projects:read", &[Admin, Developer, Analyst, Viewer]),
    ("projects:write", &[Admin, Developer]),
    ("api_keys:read", &[Admin, Developer]),
    ("api_keys:write", &[Admin]),
    ("tokens:create", &[Admin, Developer]),
    ("token_issuers:read", &[Admin]),
    ("token_issuers:write", &[Admin]),
    ("signing_keys:read", &[]),
    ("signing_keys:write", &[]),
    ("chat_sessions:read", &[Admin, Developer, Analyst, Viewer, User]),
    ("chat_sessions:write", &[Admin, Developer, User]),
    // every user's; without it one's own
    ("chat_sessions:all", &[Admin, Developer, Analyst, Viewer]),
    ("messages:read", &[Admin, Developer, Analyst, Viewer, User]),
    ("messages:write", &[Admin, Developer, User]),
    ("turns:read", &[Admin, Developer, Analyst, Viewer, User]),
    ("turns:write", &[Admin, Developer, User]),
    ("user_preferences:read", &[Admin, Developer, User]),
    ("user_preferences:write", &[Admin, User]),
    // every user's; without it one's own
    ("user_preferences:all", &[Admin, Developer]),
    ("tool_calls:read", &[Admin, Developer, Analyst, User]),
    // what a project key may, and nothing else
    ("telemetry:send", &[Admin, Developer]),
    ("performance_records:read", &[Admin, Developer, Analyst, Viewer]),
    ("rejected_records:read", &[Admin, Developer]),
    ("rejected_records:write", &[Admin, Developer]),
    ("ai_analysis_results:read", &[Admin, Developer, Analyst, Viewer]),
    ("ai_analysis_results:write", &[Admin, Developer, Analyst]),
    ("suggestions:read", &[Admin, Developer, Analyst, Viewer]),
    ("suggestions:write", &[Admin, Developer, Analyst]),
    ("alert_rules:read", &[Admin, Developer, Analyst, Viewer]),
    ("alert_rules:write", &[Admin, Developer]),
    ("alert_events:read", &[Admin, Developer, Analyst, Viewer]),
    ("alert_events:write", &[Admin, Developer]),
    ("performance_metrics:read", &[Admin, Developer, Analyst, Viewer]),
    ("requirements:read", &[Admin, Developer, Analyst, Viewer]),
    ("requirements:write", &[Admin, Developer, Analyst]),
    ("prd_docs:read", &[Admin, Developer, Analyst, Viewer]),
    ("prd_docs:write", &[Admin, Developer, Analyst]),
    ("tech_designs:read", &[Admin, Developer, Analyst, Viewer]),
    ("tech_designs:write", &[Admin, Developer]),
    ("api_specs:read", &[Admin, Developer, Analyst, Viewer]),
    ("api_specs:write", &[Admin, Developer]),
    // besides the permission to write a document: to approve it, and to change that
    ("documents:approve", &[Admin]),
    ("channels:read", &[Admin, Developer]),
    ("channels:write", &[Admin]),
    ("webhook_deliveries:read", &[Admin, Developer]),
    ("webhook_deliveries:write", &[Admin]),
    ("ai_providers:read", &[Admin, Developer, Analyst, Viewer]),
    ("ai_providers:write", &[Admin, Developer]),
    ("model_prices:read", &[Admin, Developer, Analyst, Viewer]),
    ("model_prices:write", &[Admin]),
    ("model_routes:read", &[Admin, Developer, Analyst, Viewer]),
    ("model_routes:write", &[Admin, Developer]),
    ("limits:read", &[Admin, Developer]),
    ("limits:write", &[Admin]),
    ("usage:read", &[Admin, Developer, Analyst]),
    ("llm_calls:read", &[Admin, Developer, Analyst]),
    ("jobs:read", &[Admin, Developer]),
    ("jobs:write", &[Admin]),
    ("erasures:read", &[Admin]),
    ("erasures:write", &[Admin]),
    // anybody; without it oneself: a role of a tenant's own may let people erase themselves
    ("erasures:all", &[Admin]),
    ("exports:read", &[Admin, User]),
    // anybody; without it oneself
    ("exports:all", &[Admin]),
    ("audit_logs:read", &[Admin]),
    ("journal_quarantine:read", &[Admin]),
    ("system_config:read", &[Admin]),
    ("system_config:write", &[]),
    ("api_logs:read", &[Admin, Developer]),
    ("error_logs:read", &[Admin, Developer]),
    ("database:read", &[]),
    ("metrics:read", &[]),
];

/// Permissions to access all users' rows, each with the permissions that are limited to the caller's own rows without
/// it.
const OWNED: &[(&str, &[&str])] = &[
    ("chat_sessions:all", &["chat_sessions", "messages", "turns", "tool_calls"]),
    ("user_preferences:all", &["user_preferences"]),
];

/// Whether a permission is instance-wide.
pub(crate) fn is_instance_wide(name: &str) -> bool {
    name.starts_with("tenants:") || name.starts_with("signing_keys:")
}

/// The permission that `has` lacks to access all users' rows, and the one of `scopes` that would grant this access.
pub(crate) fn ownership_violation<'a>(
    has: &Permissions,
    scopes: &'a [String],
) -> Option<(&'static str, &'a str)> {
    OWNED.iter().filter(|(all, _)| !has.allows(all)).find_map(|(all, resources)| {
        let resource = |scope: &str| scope.split_once(':').map_or("", |(resource, _)| resource).to_owned();
        let found =
            scopes.iter().find(|scope| *scope == "*" || resources.contains(&resource(scope).as_str()));
        found.map(|scope| (*all, scope.as_str()))
    })
}

/// The permissions without those that would grant access to all users' rows, as far as `has` lacks them.
pub(crate) fn without_ownership_violations(has: &Permissions, held: &Permissions) -> Permissions {
    let kept =
        held.names().iter().filter(|name| ownership_violation(has, std::slice::from_ref(*name)).is_none());
    Permissions::new(kept.cloned())
}

/// All permissions, without the wildcard `*`.
pub fn all() -> impl Iterator<Item = &'static str> {
    PERMISSIONS.iter().map(|(name, _)| *name)
}

/// Whether the permission exists.
pub fn exists(name: &str) -> bool {
    all().any(|known| known == name)
}

/// The permissions of a built-in role.
pub(crate) fn held_by(role: BuiltInRole) -> Vec<&'static str> {
    PERMISSIONS.iter().filter(|(_, roles)| roles.contains(&role)).map(|(name, _)| *name).collect()
}

/// Rejects a list with an unknown permission, naming its index.
pub(crate) fn check(param: &str, scopes: &[String]) -> Result<()> {
    if scopes.is_empty() {
        return Err(Error::invalid(param, "must name at least one permission"));
    }
    match scopes.iter().position(|scope| scope != "*" && !exists(scope)) {
        Some(i) => {
            let names: Vec<&str> = all().collect();
            let message = format!("unknown permission; the permissions are `*`, `{}`", names.join("`, `"));
            Err(Error::invalid(format!("{param}[{i}]"), message))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_listed_once_and_reads_as_resource_and_action() {
        let names: Vec<&str> = all().collect();
        for (i, name) in names.iter().enumerate() {
            assert!(!names[..i].contains(name), "{name} is listed twice");
            let (resource, action) = name.split_once(':').expect("resource:action");
            assert!(!resource.is_empty() && !action.is_empty(), "{name}");
        }
    }

    #[test]
    fn what_reaches_beyond_a_tenant_is_in_no_role_but_those_with_everything() {
        for role in [Admin, Developer, Analyst, Viewer, User] {
            let beyond = |name: &&str| name.starts_with("tenants:") || name.starts_with("signing_keys:");
            assert!(!held_by(role).iter().any(beyond));
        }
    }
}
