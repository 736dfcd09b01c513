//! Configured model providers.

pub mod entity;
pub mod kinds;
pub(crate) mod prepared;
pub mod routes;
mod secrets;
pub mod service;
pub(crate) mod stored_config;
