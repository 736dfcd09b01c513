//! Roles: names for sets of permissions, built in or made by a tenant.

pub(crate) mod built_in;
pub mod entity;
pub(crate) mod ownership;
pub(crate) mod rights;
pub mod routes;
pub mod service;
