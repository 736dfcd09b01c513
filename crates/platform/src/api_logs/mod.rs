//! Requests on record: taken at the edge of the server, without secrets, by sampling.

pub mod entity;
mod record;
pub mod routes;
mod settings;
mod sink;
mod taker;
#[cfg(test)]
mod tests;

pub use settings::{ApiLogSettings, SETTINGS, Sampling};
pub use sink::ApiLogSink;
pub use taker::{ApiLogs, Arrival, Caller, Class, Ending};
