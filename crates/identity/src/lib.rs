//! Identities and permissions: tenants, users, roles and projects; and authentication: API keys, login sessions, and
//! tokens of Loam and of the tenants' applications.
//!
//! Belongs here: the resources above, turning a credential into a [`Scope`](loam_kernel::Scope), and the first start.
//! Does not belong here: what a caller does with the permissions.

pub mod api_keys;
mod authenticator;
mod bootstrap;
mod config;
pub mod erasures;
pub mod exports;
mod jwt;
pub mod login;
pub mod login_sessions;
mod operator_access;
mod password;
pub mod permissions;
pub mod personal;
pub mod projects;
pub mod roles;
mod secret;
mod service;
pub mod signing_keys;
pub mod tenants;
pub mod token_issuers;
pub mod tokens;
pub mod user_preferences;
pub mod users;

#[cfg(test)]
mod tests;

use loam_db::EntityShape;
use loam_platform::seal::{SealedTable, rows};

pub use authenticator::{Authenticator, RequestedAccess};
pub use bootstrap::{Bootstrap, FirstKey, has_tenants};
pub use config::Config;
pub use service::{Identity, Parts};

/// The tables of this crate with sealed values.
pub fn sealed() -> Vec<Box<dyn SealedTable>> {
    vec![
        rows::<token_issuers::entity::Entity>(),
        rows::<signing_keys::entity::Entity>(),
        rows::<projects::entity::Entity>(),
    ]
}

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    vec![
        EntityShape::of::<tenants::entity::Entity>(),
        EntityShape::of::<users::entity::Entity>(),
        EntityShape::of::<user_preferences::entity::Entity>(),
        EntityShape::of::<roles::entity::Entity>(),
        EntityShape::of::<login_sessions::entity::Entity>(),
        EntityShape::of::<projects::entity::Entity>(),
        EntityShape::of::<projects::retired::Entity>(),
        EntityShape::of::<api_keys::entity::Entity>(),
        EntityShape::of::<token_issuers::entity::Entity>(),
        EntityShape::of::<signing_keys::entity::Entity>(),
        EntityShape::of::<operator_access::entity::Entity>(),
    ]
}
