//! Which sums a question is answered from.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, ProjectId, Result};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Granularity;
use crate::StorageSettings;

/// Up to here sums by minute are read, unless others are asked for.
const MINUTES: TimeDelta = TimeDelta::hours(3);
/// Up to here sums by hour, and from then on sums by day.
const HOURS: TimeDelta = TimeDelta::days(8);
/// The longest range of sums by minute, by hour, and by day.
const LONGEST: (TimeDelta, TimeDelta, TimeDelta) =
    (TimeDelta::days(1), TimeDelta::days(92), TimeDelta::days(1_100));

/// Of which project, and which time.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RangeQuery {
    /// Of which project.
    pub project_id: ProjectId,
    /// From then on; a day before `to` unless given. Taken back to the beginning of its minute, hour or day.
    pub from: Option<DateTime<Utc>>,
    /// Before then; now unless given. Taken on to the end of its minute, hour or day.
    pub to: Option<DateTime<Utc>>,
    /// The sums to read: `minute` over at most a day, `hour` over at most 92 days, `day` (UTC) over at most 1,100. Unless
    /// given, `minute` for ranges of up to 3 hours while such sums are kept, `hour` up to 8 days, else `day`.
    pub granularity: Option<Granularity>,
}

/// A time in which sums are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Range {
    /// The beginning of its first minute, hour or day.
    pub from: DateTime<Utc>,
    /// The end of its last.
    pub to: DateTime<Utc>,
    /// By minute, hour or day.
    pub granularity: Granularity,
}

impl RangeQuery {
    /// The range of a query.
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
        let (longest, what) = match granularity {
            Granularity::Minute => (LONGEST.0, "a day of minutes"),
            Granularity::Hour => (LONGEST.1, "92 days of hours"),
            Granularity::Day => (LONGEST.2, "1,100 days"),
        };
        if from >= to || to - from > longest {
            return Err(Error::invalid("from", format!("must be before `to`, by at most {what}")));
        }
        let last = granularity.bucket(to);
        let to = if last == to { to } else { last + granularity.length() };
        Ok(Range { from: granularity.bucket(from), to, granularity })
    }
}

impl Range {
    /// The range in parts of some length.
    pub(crate) fn parts(self, step: TimeDelta) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
        let begins = std::iter::successors(Some(self.from), move |from| Some(*from + step));
        begins.take_while(move |from| *from < self.to).map(move |from| (from, (from + step).min(self.to)))
    }
}

/// A share of a whole; none of nothing.
pub(crate) fn share(part: i64, whole: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share of counts")]
    let share = (whole > 0).then(|| part.max(0) as f64 / whole as f64);
    share
}

/// How times are spread, in seconds: half, 90, 95 and 99 of 100 took no longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Quantiles {
    /// Half of them.
    pub p50: Option<f64>,
    /// 90 of 100.
    pub p90: Option<f64>,
    /// 95 of 100.
    pub p95: Option<f64>,
    /// 99 of 100.
    pub p99: Option<f64>,
}

impl From<&super::Sketch> for Quantiles {
    fn from(sketch: &super::Sketch) -> Self {
        // a sketch of microseconds
        let of = |share| sketch.quantile(share).map(|micros| micros.round() / 1e6);
        Self { p50: of(0.5), p90: of(0.9), p95: of(0.95), p99: of(0.99) }
    }
}
