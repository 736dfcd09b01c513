//! Model calls: the ledger.
//!
//! A call's intent and its settlement go to the journal; the drainer makes one row of them. Until then a call is read
//! from the journal.

pub mod entity;
pub(crate) mod ledger;
mod orphans;
mod pack;
mod past;
pub(crate) mod record;
mod retention;
pub mod routes;
pub(crate) mod sink;
mod source;
mod told;
mod view;

pub use past::{PastCall, write_past};
pub(crate) use record::Attempt;
pub use retention::{DeleteOldCalls, Deleted};
pub use source::Source;
pub use told::{ToldCall, write_told};
