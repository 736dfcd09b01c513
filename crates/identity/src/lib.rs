//! Identities and permissions: tenants, users, roles and projects; and authentication: API keys, login sessions, and
//! tokens of Loam and of the tenants' applications.
//!
//! Belongs here: the resources above, turning a credential into a [`Scope`](loam_kernel::Scope), and the first start.
//! Does not belong here: what a caller does with the permissions.

pub mod api_keys;
mod authenticator;
mod bootstrap;
mod config;
mod domain;
pub mod erasures;
pub mod exports;
mod jwt;
pub mod login;
pub mod login_sessions;
pub mod names;
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
pub mod web_origins;

#[cfg(test)]
mod tests;

pub use authenticator::{Authenticator, RequestedAccess};
pub use bootstrap::{BootstrapOptions, GeneratedCredentials, is_first_start};
pub use config::Config;
pub use service::{AutoAnalysisCheck, Identity, Parts};
