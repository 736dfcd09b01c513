//! The audit trail: every change by a person or a key, in the transaction of the change, chained by hashes per tenant.

pub(crate) mod chain;
pub mod entity;
mod erase;
#[cfg(test)]
mod erase_tests;
mod export;
pub mod head;
mod jobs;
mod personal;
pub mod routes;
mod service;
#[cfg(test)]
pub(crate) mod tests;
mod verifier;
mod verify;
#[cfg(test)]
mod verify_tests;
mod view;

pub use erase::{ErasedRows, Person, erase_person};
pub use export::{Export, verify_export};
pub use jobs::JobChanges;
pub use personal::AuditTrail;
pub use service::{Change, record};
pub use verifier::Fault;
pub use verify::{Audit, Expected, Head, Verification};
