//! Projects: the applications of a tenant, each from its first requirement to its last trace.

pub mod entity;
pub mod routes;
pub mod service;
