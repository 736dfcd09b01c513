//! Operators who open a tenant: they act in it, and its audit trail says so.

pub(crate) mod entity;
mod service;

pub(crate) use service::Recorded;
