//! Exports: everything that is known of a person, from the same places that an erasure removes it from.

pub mod routes;
pub mod service;

pub use service::{Export, ExportOf};
