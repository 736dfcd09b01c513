//! Sums over requests and calls, by minute and by hour: what lists, trends, comparisons and alerts are made of, so that
//! their cost does not grow with what was sent.

pub mod endpoints;
pub mod functions;
pub mod metrics;
mod sketch;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use sketch::Sketch;

/// Microseconds in a second: sums are kept in the former, and told in the latter.
pub(crate) const MICROS: f64 = 1e6;
/// Bytes in a megabyte, as memory is told.
pub(crate) const MEGABYTE: f64 = 1_048_576.0;

/// How long a stretch of time is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Granularity {
    /// Its length.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
        }
    }

    /// The beginning of the stretch in which a moment lies.
    pub fn bucket(self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.duration_trunc(self.length()).unwrap_or(at)
    }
}
