//! API keys: what applications and the command line authenticate with.

pub mod entity;
pub(crate) mod maker;
pub mod routes;
pub mod service;
