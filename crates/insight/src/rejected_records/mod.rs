//! Rejected telemetry: stored with the error, to be corrected and replayed.

pub mod entity;
mod retention;
pub(crate) mod routes;
mod service;
mod store;

pub(crate) use retention::DeleteOldRejected;
pub(crate) use store::NewRejectedRecord;
