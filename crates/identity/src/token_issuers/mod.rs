//! Token issuers: applications that vouch for their own end users.

mod directory;
pub mod entity;
mod jwks;
pub mod routes;
pub mod service;

pub(crate) use directory::Issuers;
