//! Settings of a session: how much history a model gets, its sampling parameters, its tools.

pub mod entity;
pub(crate) mod keys;
pub mod routes;
pub(crate) mod service;
