//! Configured model providers.

pub mod entity;
pub mod routes;
mod secrets;
pub mod service;
