//! Usage limits of tenants, projects, users, keys and end users.

pub(crate) mod admission;
pub(crate) mod end_users;
pub mod entity;
mod estimate;
pub(crate) mod meter;
pub(crate) mod meters;
pub mod routes;
pub mod service;
pub(crate) mod subject;
mod sums;
pub mod view;
