//! Tokens: what a key or a log-in is exchanged for, so that a service carries a credential that ends by itself.

pub mod routes;
pub mod service;
