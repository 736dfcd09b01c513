//! Routes: an alias, and the models that its calls are sent to.

pub mod entity;
mod health;
pub(crate) mod removal;
pub mod routes;
mod rules;
pub mod service;
mod targets;

pub use rules::{CoolDownRule, Retries, RouteTimeouts};
pub use targets::Target;
pub(crate) use targets::flatten;
