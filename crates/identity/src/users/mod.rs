//! Users: the people of a tenant.

mod end_user;
pub mod entity;
mod lookup;
pub mod routes;
pub mod service;

pub use lookup::UserDependents;
