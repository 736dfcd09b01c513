//! The built-in roles, which are the same for every tenant.

use loam_kernel::RoleId;
use uuid::Uuid;

use crate::permissions::{BuiltInRole, held_by};

/// Manages tenants and the instance.
pub(crate) const OPERATOR: &str = "operator";
/// Has all permissions within its tenant.
pub(crate) const OWNER: &str = "owner";
/// The default role of a user.
pub(crate) const USER: &str = "user";

/// A built-in role.
pub(crate) struct BuiltIn {
    /// The name that users are assigned.
    pub(crate) name: &'static str,
    /// Description.
    pub(crate) description: &'static str,
    /// `None`: all permissions.
    held: Option<BuiltInRole>,
}

/// Ordered by permissions, most first.
pub(crate) const ALL: [BuiltIn; 7] = [
    BuiltIn {
        name: OPERATOR,
        description: "manages tenants and the instance; only in the tenant `default`",
        held: None,
    },
    BuiltIn { name: OWNER, description: "everything within the tenant", held: None },
    BuiltIn {
        name: "admin",
        description: "everything within the tenant but the tenant itself",
        held: Some(BuiltInRole::Admin),
    },
    BuiltIn {
        name: "developer",
        description: "builds applications: projects, providers, calls",
        held: Some(BuiltInRole::Developer),
    },
    BuiltIn { name: "analyst", description: "reads calls and costs", held: Some(BuiltInRole::Analyst) },
    BuiltIn { name: "viewer", description: "sees what there is", held: Some(BuiltInRole::Viewer) },
    BuiltIn { name: USER, description: "calls models", held: Some(BuiltInRole::User) },
];

impl BuiltIn {
    /// Its permissions.
    pub(crate) fn permissions(&self) -> Vec<String> {
        match self.held {
            None => vec!["*".to_owned()],
            Some(role) => held_by(role).into_iter().map(str::to_owned).collect(),
        }
    }
}

/// The built-in role of this name.
pub(crate) fn find(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().find(|role| role.name == name)
}

/// Built-in roles have ids with time zero, so that they come last in lists, which are newest first.
pub(crate) fn id(place: usize) -> RoleId {
    const FIRST: u128 = 0x0000_0000_0000_7000_8000_0000_0000_0000;
    RoleId(Uuid::from_u128(FIRST + (ALL.len() - place) as u128))
}
