//! Logging in with a password, and what guards it.

pub mod cookie;
pub mod csrf;
pub mod routes;
pub mod service;
mod throttle;

pub(crate) use throttle::Throttle;
