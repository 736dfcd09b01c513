//! Incidents: opened by alert rules, acknowledged and resolved.

pub mod entity;
pub mod routes;
pub mod service;
