//! Projects: the applications of a tenant.

pub mod alert_thresholds;
pub mod deleted;
mod delivery;
pub(crate) mod directory;
pub mod entity;
pub(crate) mod keys;
pub(crate) mod retired;
pub mod routes;
pub mod service;

pub use directory::{MonitoredProject, response_time_thresholds};
pub use entity::MonitoringStatus;
