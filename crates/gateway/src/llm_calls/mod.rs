//! Model calls: the ledger.
//!
//! A call's intent and its settlement are appended to the journal; the drainer merges them into one row. Until then a
//! call is read from the journal.

mod bodies;
mod call_identity;
pub mod entity;
mod gateway_matches;
mod imported_calls;
mod known_calls;
pub(crate) mod ledger;
mod orphans;
mod read_call;
pub(crate) mod record;
pub(crate) mod refusal;
pub(crate) mod refusals;
mod reported_call;
mod reported_calls;
mod retention;
pub mod routes;
pub(crate) mod sink;
mod source;
mod stored;
pub(crate) mod tags;
mod view;

pub use call_identity::SpanLinks;
pub use entity::CallState;
pub use imported_calls::{ImportedCall, insert_imported};
pub(crate) use read_call::read_call;
pub(crate) use record::{Attempt, LLM_CALL_FRAME};
pub use reported_call::ReportedCall;
pub use reported_calls::insert_reported;
pub use retention::{DeleteOldCalls, Deleted};
pub use source::Source;
pub use stored::{StoredCallState, StoredSource, StoredUsage};
pub(crate) use view::{CallUnit, of_thousandths};
