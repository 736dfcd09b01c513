//! Exports: all data about a person, from the same locations that an erasure deletes.

pub mod routes;
pub mod service;

pub use service::{Export, ExportOf};
