//! A data set that reads and weighs like a real one: months of conversations in Chinese and English, the calls that
//! answered them, and what these cost. Demos, benchmarks and tests run on it.
//!
//! Belongs here: making it, telling it apart from what is real, and removing it again. Does not belong here: anything
//! that a server needs to run.
//!
//! The same options give the same conversations. Every id that is made here can be told by looking at it ([`ids`]), so
//! that nothing else is ever removed.

mod clean;
mod conversation;
mod fill;
mod ids;
mod measures;
mod people;
mod places;
mod rows;
mod talk;
mod times;
mod topics;

use chrono::{DateTime, Utc};

pub use clean::{Cleaned, clean};
pub use fill::{Made, Parts, fill};

/// How much to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many sessions.
    Sessions(u64),
    /// So many messages, exactly.
    Messages(u64),
}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much.
    pub size: Size,
    /// Over how many months.
    pub months: u32,
    /// Up to when: nothing is later.
    pub until: DateTime<Utc>,
    /// What makes one data set differ from another.
    pub seed: u64,
}
