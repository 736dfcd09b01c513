//! Log-in with a password, and its protection.

pub mod cookie;
pub mod csrf;
pub(crate) mod device;
mod failures;
pub mod routes;
pub mod service;
mod throttle;

pub(crate) use throttle::Throttle;
