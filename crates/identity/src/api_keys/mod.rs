//! API keys: what applications and the command line authenticate with.

pub(crate) mod creator;
pub mod entity;
pub mod routes;
pub mod service;
