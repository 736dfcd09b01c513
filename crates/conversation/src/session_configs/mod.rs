//! Settings of a session: how much history a model is given, how it samples, which tools it has.

pub mod entity;
pub(crate) mod keys;
pub mod routes;
pub(crate) mod service;
