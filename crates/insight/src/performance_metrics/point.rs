//! A value on its way.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{PerformanceMetricId, ProjectId, TenantId, digest_of};
use serde::{Deserialize, Serialize};

use super::kind::MetricKind;
use crate::trace;

/// What a value was measured of, text by name.
pub(crate) type Tags = BTreeMap<String, String>;

/// Characters of a name.
pub(super) const MAX_NAME: usize = 200;
/// Tags of a value.
pub(super) const MAX_TAGS: usize = 32;
/// Characters of a tag's name.
pub(super) const MAX_KEY: usize = 100;
/// Characters of a tag's value.
pub(super) const MAX_TAG: usize = 256;
/// How far ahead of this server's clock another's may be.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// A value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) id: PerformanceMetricId,
    pub(crate) name: String,
    pub(crate) kind: MetricKind,
    pub(crate) unit: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) value: f64,
    /// Microseconds since 1970.
    pub(crate) at_us: i64,
}

/// Values of one project: what a frame of the journal holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Points {
    pub(super) tenant: TenantId,
    pub(super) project: ProjectId,
    pub(super) points: Vec<Point>,
}

impl Point {
    /// A value whose id is of what it says: what is told twice counts once.
    pub(crate) fn new(
        project: ProjectId,
        name: String,
        kind: MetricKind,
        unit: Option<String>,
        tags: Tags,
        value: f64,
        at: DateTime<Utc>,
    ) -> Self {
        let mut point = Self {
            id: PerformanceMetricId::default(),
            name,
            kind,
            unit,
            tags,
            value,
            at_us: at.timestamp_micros(),
        };
        let (series, micros) = (point.series(), point.at_us.to_be_bytes());
        let said = [project.0.as_bytes(), &series.to_be_bytes()[..], &micros, &value.to_bits().to_be_bytes()];
        point.id = PerformanceMetricId(trace::id(at, &said));
        point
    }

    /// The same under an id of the sender's own.
    pub(crate) fn known_as(mut self, project: ProjectId, own: &str) -> Self {
        let said = [project.0.as_bytes(), &b"id"[..], own.as_bytes()];
        self.id = PerformanceMetricId(trace::id(self.at(), &said));
        self
    }

    pub(crate) fn at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.at_us).unwrap_or_default()
    }

    /// Which series it belongs to: a hash of its name and its tags.
    pub(crate) fn series(&self) -> u128 {
        let tags = self.tags.iter().flat_map(|(name, value)| [name, value]);
        let texts = std::iter::once(&self.name).chain(tags);
        let mut series = [0; 16];
        series.copy_from_slice(&digest_of(texts.map(String::as_bytes))[..16]);
        u128::from_be_bytes(series)
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        64 + self.name.len() + self.tags.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

/// A series as it is kept.
pub(super) fn series_text(series: u128) -> String {
    format!("{series:032x}")
}

/// Why a value of this moment is not taken.
pub(crate) fn check_time(
    at: DateTime<Utc>,
    max_age_days: u32,
    now: DateTime<Utc>,
) -> Result<(), &'static str> {
    if at < now - TimeDelta::days(max_age_days.into()) {
        Err("it was measured too long ago")
    } else if at > now + AHEAD {
        Err("it was measured in the future; set the application's clock")
    } else {
        Ok(())
    }
}
