//! Tokens: short-lived credentials that a key or login session is exchanged for.

pub mod routes;
pub mod service;
