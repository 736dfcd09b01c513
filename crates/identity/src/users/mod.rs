//! Users: the people of a tenant.

mod end_user;
pub mod entity;
pub mod routes;
pub mod service;
