//! The audit trail: every change by a person or a key, in the transaction of the change, chained by hashes per tenant.

pub(crate) mod chain;
pub mod entity;
pub mod head;
mod jobs;
pub mod routes;
mod service;
#[cfg(test)]
mod tests;

pub use jobs::JobChanges;
pub use service::{Change, record};
