//! Roles: named sets of permissions, built-in or defined by a tenant.

pub(crate) mod built_in;
pub mod entity;
pub(crate) mod ownership;
pub(crate) mod rights;
pub mod routes;
pub mod service;
