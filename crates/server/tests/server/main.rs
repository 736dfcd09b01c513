//! What is generated from the code and kept in the repository is what the code says; what the entities say is what the
//! databases have.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod floors;
mod generated;
mod openapi;
mod schema;
mod sealed;
mod sources;
mod stored_formats;
