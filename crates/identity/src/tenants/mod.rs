//! Tenants: the customers of one Loam.

pub mod entity;
pub(crate) mod queries;
pub mod routes;
pub mod service;
