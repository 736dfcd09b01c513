//! Usage limits of tenants, projects, users and keys.

pub(crate) mod admission;
mod demand;
pub mod entity;
pub(crate) mod meter;
pub(crate) mod meters;
pub mod routes;
pub mod service;
mod sums;
