//! A sample data set with realistic content and volume: months of conversations in Chinese and English, with their model
//! calls and costs, and the monitoring of the applications behind them. Used by demos, benchmarks and tests.
//!
//! Belongs here: generating, identifying and removing sample data. Does not belong here: anything that a server needs to
//! run.
//!
//! The same options give the same conversations. Sample data is identified by its IDs ([`ids`]), so that nothing else is
//! removed.

mod catalog;
mod clean;
mod conversation;
mod fill;
mod ids;
mod model_profile;
mod monitoring;
mod plan;
mod rows;
mod schedule;
mod telemetry;
mod topics;
mod users;

use chrono::{DateTime, Utc};

pub use clean::{Removed, clean};
pub use fill::{Created, Parts, fill};

/// Size of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Number of sessions.
    Sessions(u64),
    /// Exact number of messages.
    Messages(u64),
}

/// Options of the data set.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Size.
    pub size: Size,
    /// Number of months that it covers.
    pub months: u32,
    /// End of the covered time.
    pub until: DateTime<Utc>,
    /// Seed of the random generator.
    pub seed: u64,
}
