//! The write path of traces: journal first, then the database with its statistics.

mod batch;
mod delete_project;
mod errors;
mod figures;
mod finalise;
mod journal;
mod merge;
mod name_limit;
mod retention;
pub(crate) mod settings;
mod sink;
mod stored_chunks;
mod sums;
#[cfg(test)]
mod tests;
mod trace_stats;

pub(crate) use batch::PackedChunk;
pub(crate) use delete_project::DeleteTelemetry;
pub(crate) use finalise::Finalise;
pub(crate) use journal::{append, unavailable};
pub(crate) use retention::DeleteOld;
pub use settings::{STORAGE, StorageSettings};
pub(crate) use sink::RecordSink;
