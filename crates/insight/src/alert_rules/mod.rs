//! Alert rules: what is measured, and who is notified of a breach.

pub mod defaults;
pub mod definition;
pub mod entity;
mod recipients;
pub mod routes;
pub mod service;
pub(crate) mod settings;
pub mod targets;

pub(crate) use defaults::ManageRules;
pub(crate) use recipients::AlertRecipients;
pub use settings::{ALERT_RULES, AlertSettings};
