//! Time range and granularity of a query over sums.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, ProjectId, Result};
use loam_platform::sketch::Sketch;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Granularity;
use crate::StorageSettings;

/// Longest range for which the granularity defaults to minutes.
const MINUTES: TimeDelta = TimeDelta::hours(3);
/// Longest range for which the granularity defaults to hours; beyond it, days.
const HOURS: TimeDelta = TimeDelta::days(8);
/// Longest permitted range by minute, by hour, and by day.
const LONGEST: (TimeDelta, TimeDelta, TimeDelta) =
    (TimeDelta::days(1), TimeDelta::days(92), TimeDelta::days(1_100));

/// Project, time range and granularity.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RangeQuery {
    /// Project ID.
    pub project_id: ProjectId,
    /// Start, inclusive; defaults to one day before `to`. Rounded down to the start of its minute, hour or day.
    pub from: Option<DateTime<Utc>>,
    /// End, exclusive; defaults to now. Rounded up to the end of its minute, hour or day.
    pub to: Option<DateTime<Utc>>,
    /// Granularity: `minute` for at most a day, `hour` for at most 92 days, `day` (UTC) for at most 1,100 days. Defaults to
    /// `minute` for ranges of up to 3 hours if sums per minute are still stored, `hour` for up to 8 days, else `day`.
    pub granularity: Option<Granularity>,
}

/// The time range that the sums cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Range {
    /// Start of the first minute, hour or day.
    pub from: DateTime<Utc>,
    /// End of the last minute, hour or day.
    pub to: DateTime<Utc>,
    /// Minute, hour or day.
    pub granularity: Granularity,
}

impl RangeQuery {
    /// Resolves defaults, checks limits and rounds to bucket boundaries.
    pub(crate) fn range(&self, settings: &StorageSettings, now: DateTime<Utc>) -> Result<Range> {
        let to = self.to.unwrap_or(now);
        let year = |at: DateTime<Utc>| chrono::Datelike::year(&at);
        if !(2000..3000).contains(&year(to)) || self.from.is_some_and(|at| !(2000..3000).contains(&year(at)))
        {
            return Err(Error::invalid("from", "must lie in the years 2000 to 2999, as `to` must"));
        }
        let from = self.from.unwrap_or(to - TimeDelta::days(1));
        let has_minutes = from >= now - TimeDelta::days(i64::from(settings.minute_stats_days));
        let granularity = self.granularity.unwrap_or(match to - from {
            length if length <= MINUTES && has_minutes => Granularity::Minute,
            length if length <= HOURS => Granularity::Hour,
            _ => Granularity::Day,
        });
        let (longest, limit) = match granularity {
            Granularity::Minute => (LONGEST.0, "a day for minutes"),
            Granularity::Hour => (LONGEST.1, "92 days for hours"),
            Granularity::Day => (LONGEST.2, "1,100 days"),
        };
        if from >= to || to - from > longest {
            return Err(Error::invalid("from", format!("must be before `to`, by at most {limit}")));
        }
        let last = granularity.bucket(to);
        let to = if last == to { to } else { last + granularity.length() };
        Ok(Range { from: granularity.bucket(from), to, granularity })
    }
}

impl Range {
    /// Splits the range into parts of length `step`; the last may be shorter.
    pub(crate) fn parts(self, step: TimeDelta) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
        let starts = std::iter::successors(Some(self.from), move |from| Some(*from + step));
        starts.take_while(move |from| *from < self.to).map(move |from| (from, (from + step).min(self.to)))
    }
}

/// `part / whole`; `None` if `whole` is zero.
pub(crate) fn share(part: i64, whole: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share of counts")]
    let share = (whole > 0).then(|| part.max(0) as f64 / whole as f64);
    share
}

/// Quantiles of durations, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Quantiles {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

impl From<&Sketch> for Quantiles {
    fn from(sketch: &Sketch) -> Self {
        // the sketch holds microseconds
        let seconds = |share| sketch.quantile(share).map(|micros| micros.round() / 1e6);
        Self { p50: seconds(0.5), p90: seconds(0.9), p95: seconds(0.95), p99: seconds(0.99) }
    }
}
