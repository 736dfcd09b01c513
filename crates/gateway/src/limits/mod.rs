//! Limits: what a tenant, project, user or key may use.

pub(crate) mod admission;
mod demand;
pub mod entity;
pub(crate) mod meter;
pub(crate) mod meters;
pub mod routes;
pub mod service;
mod sums;
