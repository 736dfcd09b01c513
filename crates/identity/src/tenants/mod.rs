//! Tenants: the isolated customers of an instance.

pub mod entity;
pub(crate) mod queries;
pub mod routes;
pub mod service;

pub use entity::TenantStatus;
