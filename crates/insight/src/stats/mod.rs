//! Sums over requests and calls, by minute and by hour: what lists, trends, comparisons and alerts are made of, so that
//! their cost does not grow with what was sent.

mod endpoint_list;
pub mod endpoints;
mod function_list;
pub mod functions;
pub mod metrics;
pub mod names;
mod range;
mod read;
pub mod routes;
mod sketch;
pub(crate) mod sums;
mod versions;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use endpoint_list::{EndpointOrder, EndpointStats};
pub use function_list::{FunctionOrder, FunctionStats};
pub use range::{Range, RangeQuery};
pub(crate) use read::{Narrow, Summed};
pub use sketch::Sketch;
pub use versions::{Version, VersionsQuery};

/// What sums are told apart by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Apart {
    pub(crate) time: bool,
    /// Endpoint or function.
    pub(crate) name: bool,
    pub(crate) version: bool,
}

/// Time, name and version of a sum, as far as it is told apart by them.
type Group = (Option<DateTime<Utc>>, Option<String>, Option<String>);

/// What one sum is told apart by.
struct Told<'a> {
    time: Option<DateTime<Utc>>,
    name: Option<&'a str>,
    version: Option<&'a str>,
}

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
    /// A day, UTC.
    Day,
}

impl Granularity {
    /// Its length.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// The word as it is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The beginning of the stretch in which a moment lies.
    pub fn bucket(self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.duration_trunc(self.length()).unwrap_or(at)
    }
}
