//! What is watched, and who is told when it is bad.

mod defaults;
pub mod definition;
pub mod entity;
pub mod routes;
pub mod service;
mod settings;

pub use settings::{ALERT_RULES, AlertSettings};
