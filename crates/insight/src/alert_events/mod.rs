//! Incidents: what was raised, who took it up, and when it was over.

pub mod entity;
pub mod routes;
pub mod service;
