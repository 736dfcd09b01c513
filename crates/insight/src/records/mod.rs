//! The way of what applications tell: durable in the journal first, then in the database, with its sums.

mod accept;
mod batch;
mod contribution;
mod errors;
mod figures;
mod finalise;
mod join;
mod names;
mod retention;
mod settings;
mod sink;
mod stored;
mod sums;
#[cfg(test)]
mod tests;

pub(crate) use accept::{append, unavailable};
pub(crate) use finalise::Finalise;
pub(crate) use retention::DeleteOld;
pub use settings::{STORAGE, StorageSettings};
pub(crate) use sink::RecordSink;
