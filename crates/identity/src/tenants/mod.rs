//! Tenants: the isolated customers of an instance.

pub mod entity;
pub mod new_tenant;
pub(crate) mod queries;
pub mod quotas;
pub mod routes;
pub mod service;

pub use entity::TenantStatus;
pub use queries::ids;
