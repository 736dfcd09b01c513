//! Users of a tenant.

pub(crate) mod end_user;
pub mod entity;
mod lookup;
pub mod routes;
pub mod service;
