//! Users: the people of a tenant.

pub mod entity;
pub mod routes;
pub mod service;
