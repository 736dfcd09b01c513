//! Token issuers: applications that issue tokens for their end users.

mod directory;
pub mod entity;
mod jwks;
pub mod routes;
pub mod service;

pub(crate) use directory::Issuers;
