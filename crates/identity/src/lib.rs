//! Who there is, and what they may do: tenants, users, projects, API keys, roles.
//!
//! Belongs here: the resources above, turning a key into a [`Scope`](loam_kernel::Scope), and the first start. Does not
//! belong here: what a caller then does with the rights.

pub mod api_keys;
mod authenticator;
mod bootstrap;
mod password;
pub mod permissions;
pub mod projects;
mod roles;
mod secret;
mod service;
pub mod tenants;
pub mod users;

use loam_db::EntityShape;

pub use authenticator::Authenticator;
pub use bootstrap::{Bootstrap, FirstKey, has_tenants};
pub use service::Identity;

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    vec![
        EntityShape::of::<tenants::entity::Entity>(),
        EntityShape::of::<users::entity::Entity>(),
        EntityShape::of::<projects::entity::Entity>(),
        EntityShape::of::<api_keys::entity::Entity>(),
    ]
}
