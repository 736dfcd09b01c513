//! Sums over requests and calls per minute, hour and day. Lists, trends, comparisons and alerts read these, so that
//! their cost does not grow with the amount of telemetry.

mod endpoint_list;
pub mod endpoints;
mod function_list;
pub mod functions;
pub mod metrics;
pub mod names;
mod range;
mod read;
pub mod routes;
pub(crate) mod sums;
mod versions;

use std::sync::Arc;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use loam_db::Db;
use loam_identity::Identity;
use loam_kernel::Clock;
use loam_platform::system_config::LiveConfig;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::records::settings::StorageSettings;
use crate::rules::limits::Limits;

pub use endpoint_list::{EndpointOrder, EndpointStats};
pub use function_list::{FunctionOrder, FunctionStats};
pub use range::{Range, RangeQuery};
pub(crate) use read::{Bucketed, Filter};
pub use versions::{Version, VersionsQuery};

/// Reads what is stored of requests, and the sums over them. Cheap to clone.
#[derive(Clone)]
pub struct Stats(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    pub(crate) storage: LiveConfig<StorageSettings>,
    pub(crate) rules: LiveConfig<Limits>,
}

/// The dimensions that sums are grouped by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupBy {
    pub(crate) time: bool,
    /// Endpoint or function.
    pub(crate) name: bool,
    pub(crate) version: bool,
}

/// Time, name and version of a group; `None` for a dimension that [`GroupBy`] leaves out.
type OwnedGroupKey = (Option<DateTime<Utc>>, Option<String>, Option<String>);

/// [`OwnedGroupKey`], borrowed.
struct GroupKey<'a> {
    time: Option<DateTime<Utc>>,
    name: Option<&'a str>,
    version: Option<&'a str>,
}

/// Microseconds per second: sums are stored in microseconds and returned in seconds.
pub(crate) const MICROS: f64 = 1e6;
/// Bytes per megabyte, the unit in which memory is returned.
pub(crate) const MEGABYTE: f64 = 1_048_576.0;

/// Length of a time bucket.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[schema(as = StatGranularity)]
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
    /// The length of a bucket.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// The stored name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Start of the bucket that contains `at`.
    pub fn bucket(self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.duration_trunc(self.length()).unwrap_or(at)
    }
}
