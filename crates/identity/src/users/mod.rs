//! Users of a tenant.

pub(crate) mod end_user;
pub mod entity;
mod lookup;
pub(crate) mod names;
pub mod routes;
pub mod service;
