//! Ingest of metric values in Loam's own format, and lists of values.

use chrono::{DateTime, Utc};
use loam_http::surface::refuse_nul;
use loam_kernel::{Error, Kind, Page, PageQuery, ProjectId, Result, Scope, bounded, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::entity::{Column, Entity, Model};
use super::journal::TOO_MANY_SERIES;
use super::kind::MetricKind;
use super::point::{MAX_NAME, MAX_TAG_NAME, MAX_TAG_VALUE, MAX_TAGS, Point, Tags};
use crate::ingest::Ingest;
use crate::ingest::TimeLimits;
use crate::otlp::ProjectRef;

/// Maximum length of an id that the sender chose, in characters.
const MAX_ID: usize = 64;

/// A metric value.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricCreate {
    /// An ID of your choice, at most 64 characters; requires `timestamp`. Values with the same ID and time are
    /// duplicates, which are counted once. Without an ID, values with the same content and time are.
    pub id: Option<String>,
    /// Metric name, at most 200 characters.
    pub metric_name: String,
    /// The value.
    pub metric_value: f64,
    /// Kind of the value. Defaults to `gauge`.
    #[serde(default)]
    pub kind: MetricKind,
    /// Unit: `s`, `By`, `1`, ….
    pub unit: Option<String>,
    /// Tags: at most 32 strings, numbers or booleans by name. Avoid tags with many values, since each combination is a
    /// separate series.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub tags: Map<String, Value>,
    /// Time of the measurement. Defaults to now.
    pub timestamp: Option<DateTime<Utc>>,
}

/// The result of an ingest request.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsAccepted {
    /// Number of accepted values.
    pub accepted: usize,
    /// The rejected values.
    pub rejected: Vec<RejectedMetric>,
}

/// A rejected value.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedMetric {
    /// Index in the request, from 0.
    pub index: usize,
    /// Stable error code, for programs.
    pub code: &'static str,
    /// Error message, for people.
    pub message: String,
    /// The invalid field.
    pub param: Option<String>,
}

/// Filters of metric values.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MetricFilter {
    /// Project ID.
    pub project_id: Option<ProjectId>,
    /// Metric name.
    pub metric_name: Option<String>,
    /// Series.
    pub series: Option<String>,
    /// Only values with these comma-separated tags: `host:web-1,region:eu`.
    pub tags: Option<String>,
    /// Earliest time of the measurement, inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Latest time of the measurement, exclusive.
    pub to: Option<DateTime<Utc>>,
}

impl RejectedMetric {
    fn new(index: usize, error: &Error) -> Self {
        Self {
            index,
            code: error.code(),
            message: error.message().to_owned(),
            param: error.param().map(str::to_owned),
        }
    }
}

impl MetricCreate {
    fn point(self, project_ref: ProjectRef, times: TimeLimits) -> Result<Point> {
        bounded("metric_name", &self.metric_name, MAX_NAME)?;
        if let Some(unit) = &self.unit {
            bounded("unit", unit, MAX_ID)?;
        }
        if self.id.is_some() && self.timestamp.is_none() {
            return Err(Error::invalid(
                "timestamp",
                "is required with `id`, which identifies duplicates only at the same time",
            ));
        }
        let at = self.timestamp.unwrap_or(times.now);
        times.check(at).map_err(|e| Error::invalid("timestamp", e.message))?;
        let tags = tags(self.tags)?;
        let point = Point::new(
            project_ref.project,
            self.metric_name,
            self.kind,
            self.unit,
            tags,
            self.metric_value,
            at,
        );
        match self.id {
            None => Ok(point),
            Some(id) => {
                bounded("id", &id, MAX_ID)?;
                Ok(point.with_sender_id(project_ref.project, &id))
            }
        }
    }
}

fn tags(input: Map<String, Value>) -> Result<Tags> {
    if input.len() > MAX_TAGS {
        return Err(Error::invalid("tags", format!("must be at max {MAX_TAGS}")));
    }
    let tag = |(name, value): (String, Value)| {
        let param = format!("tags.{name}");
        bounded(&param, &name, MAX_TAG_NAME)?;
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(bool) => bool.to_string(),
            _ => return Err(Error::invalid(param, "must be a string, a number or a boolean")),
        };
        bounded(&param, &value, MAX_TAG_VALUE)?;
        Ok((name, value))
    };
    input.into_iter().map(tag).collect()
}

/// Parses tags such as `host:web-1,region:eu`.
pub(super) fn read_tags(text: &str) -> Result<Map<String, Value>> {
    let tag = |text: &str| match text.split_once(':') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.into())),
        _ => Err(Error::invalid("tags", "must be pairs of name and value: `host:web-1,region:eu`")),
    };
    text.split(',').filter(|text| !text.is_empty()).map(tag).collect()
}

impl Ingest {
    /// Ingests values. Invalid ones are rejected individually.
    pub(crate) async fn ingest_metrics(
        &self,
        project_ref: ProjectRef,
        input: Vec<Value>,
    ) -> Result<MetricsAccepted> {
        let settings = self.0.metrics.of(project_ref.tenant);
        if input.len() > settings.max_values {
            let message = format!("send at max {} values per request", settings.max_values);
            return Err(Error::new(Kind::TooLarge, "too_many_values", message).with_param("metrics"));
        }
        let times = self.time_limits(project_ref.tenant);
        let (mut points, mut indexes, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        for (index, value) in input.into_iter().enumerate() {
            match read(value).and_then(|new| new.point(project_ref, times)) {
                Ok(point) => {
                    points.push(point);
                    indexes.push(index);
                }
                Err(e) => rejected.push(RejectedMetric::new(index, &e)),
            }
        }
        let accepted = points.len();
        let refused = self.journal_points(project_ref, points).await?;
        let too_many = Error::new(Kind::TooMany, "too_many_series", TOO_MANY_SERIES).with_param("tags");
        rejected.extend(refused.iter().map(|index| RejectedMetric::new(indexes[*index], &too_many)));
        rejected.sort_by_key(|rejected| rejected.index);
        Ok(MetricsAccepted { accepted: accepted - refused.len(), rejected })
    }

    /// Lists the tenant's values, newest first.
    pub async fn list_metrics(
        &self,
        scope: &Scope,
        filter: MetricFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(project) = filter.project_id {
            find = find.filter(Column::ProjectId.eq(project));
        }
        for (column, value) in [(Column::MetricName, filter.metric_name), (Column::Series, filter.series)] {
            if let Some(value) = value {
                find = find.filter(column.eq(value));
            }
        }
        if let Some(text) = filter.tags {
            find = find.containing(Column::Tags, &read_tags(&text)?);
        }
        if let Some(from) = filter.from {
            find = find.filter(Column::Id.gte(first_id_at(from)));
        }
        if let Some(to) = filter.to {
            find = find.filter(Column::Id.lt(first_id_at(to)));
        }
        find.page(page, |row| row.id.0).await
    }
}

fn read(value: Value) -> Result<MetricCreate> {
    refuse_nul(value.to_string().as_bytes())?;
    let parsed = serde_path_to_error::deserialize::<_, MetricCreate>(value);
    parsed.map_err(|e| Error::invalid(e.path().to_string(), e.inner().to_string()))
}
