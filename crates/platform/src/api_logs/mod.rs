//! Request records: sampled at the edge of the server, without secrets.

pub mod entity;
mod record;
mod recorder;
pub mod routes;
mod settings;
mod sink;
#[cfg(test)]
mod tests;

pub(crate) use record::API_LOG_FRAME;
pub use recorder::{ApiLogs, Caller, Class, PendingRecord, RequestStart};
pub use settings::{ApiLogSettings, SETTINGS, Sampling};
pub use sink::ApiLogSink;
