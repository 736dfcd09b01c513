//! Metric values before they are stored.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use loam_kernel::{PerformanceMetricId, ProjectId, Result, TenantId, digest_of};
use loam_platform::personal::Named;
use loam_platform::stored_enum;
use loam_platform::stored_format::{StoredAs, StoredFormat};
use serde::{Deserialize, Serialize};

use super::kind::MetricKind;
use crate::trace;

/// Tags: values by name.
pub(crate) type Tags = BTreeMap<String, String>;

/// Maximum length of a metric name, in characters.
pub(super) const MAX_NAME: usize = 200;
/// Maximum number of tags.
pub(super) const MAX_TAGS: usize = 32;
/// Maximum length of a tag name, in characters.
pub(super) const MAX_TAG_NAME: usize = 100;
/// Maximum length of a tag value, in characters.
pub(super) const MAX_TAG_VALUE: usize = 256;

/// The payload of a frame of metric values. Version 1 has no version byte. The order of the fields is the format.
pub(crate) const METRIC_POINTS_FRAME: StoredFormat =
    StoredFormat::new("metric_points_frame", 2).first_unversioned();

stored_enum! {
    /// The kind of a metric.
    StoredKind of MetricKind { Gauge, Delta, Total }
}

/// A metric value, as it is in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) id: PerformanceMetricId,
    pub(crate) name: String,
    #[serde(with = "StoredAs::<StoredKind>")]
    pub(crate) kind: MetricKind,
    pub(crate) unit: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) value: f64,
    /// Microseconds since 1970.
    pub(crate) at_us: i64,
}

/// Values of one project: the payload of a journal frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Points {
    pub(super) tenant: TenantId,
    pub(super) project: ProjectId,
    pub(super) points: Vec<Point>,
}

impl Points {
    /// Encodes the payload of a frame.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        METRIC_POINTS_FRAME.encode(self)
    }

    /// Decodes the payload of a frame.
    pub(super) fn decode(payload: &[u8]) -> Result<Self> {
        // version 1 has the same fields
        let (_, body) = METRIC_POINTS_FRAME.open(payload)?;
        METRIC_POINTS_FRAME.decode(body)
    }
}

impl Point {
    /// A value whose id is a hash of its content, so that duplicates are counted once.
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
        let content =
            [project.0.as_bytes(), &series.to_be_bytes()[..], &micros, &value.to_bits().to_be_bytes()];
        point.id = PerformanceMetricId(trace::id(at, &content));
        point
    }

    /// The same with an id derived from one that the sender chose.
    pub(crate) fn with_sender_id(mut self, project: ProjectId, own: &str) -> Self {
        let content = [project.0.as_bytes(), &b"id"[..], own.as_bytes()];
        self.id = PerformanceMetricId(trace::id(self.at(), &content));
        self
    }

    pub(crate) fn at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.at_us).unwrap_or_default()
    }

    /// Whom its tags name.
    pub(super) fn named(&self) -> Named {
        let mut named = Named::default();
        self.tags.iter().for_each(|(tag, value)| named.add_field(tag, value));
        named
    }

    /// The series: a hash of name and tags.
    pub(crate) fn series(&self) -> u128 {
        let tags = self.tags.iter().flat_map(|(name, value)| [name, value]);
        let texts = std::iter::once(&self.name).chain(tags);
        let mut series = [0; 16];
        series.copy_from_slice(&digest_of(texts.map(String::as_bytes))[..16]);
        u128::from_be_bytes(series)
    }

    /// Approximate size in bytes.
    pub(super) fn size(&self) -> usize {
        64 + self.name.len() + self.tags.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

/// The stored form of a series.
pub(super) fn series_text(series: u128) -> String {
    format!("{series:032x}")
}
