//! Values in Loam's own format, and lists of them.

use chrono::{DateTime, Utc};
use loam_http::surface::refuse_nul;
use loam_kernel::{Error, Kind, Page, PageQuery, ProjectId, Result, Scope, bounded, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::accept::TOO_MANY;
use super::entity::{Column, Entity, Model};
use super::kind::MetricKind;
use super::point::{MAX_KEY, MAX_NAME, MAX_TAG, MAX_TAGS, Point, Tags, check_time};
use crate::otlp::Owner;
use crate::service::Insight;

/// Characters of a sender's own id.
const MAX_ID: usize = 64;

/// A value that was measured.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricCreate {
    /// Your own id of it, at most 64 characters, with its `timestamp`: what is sent again under the same id and time
    /// counts once. Without one, what says the same of the same time does.
    pub id: Option<String>,
    /// What was measured, at most 200 characters.
    pub metric_name: String,
    /// The value.
    pub metric_value: f64,
    /// `gauge` unless given.
    #[serde(default)]
    pub kind: MetricKind,
    /// In what: `s`, `By`, `1`, ….
    pub unit: Option<String>,
    /// What it was measured of: at most 32 texts, numbers or truth values by name. Few of them should differ much, as each
    /// combination is a series of its own.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub tags: Map<String, Value>,
    /// When; now unless given.
    pub timestamp: Option<DateTime<Utc>>,
}

/// What became of values.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsTaken {
    /// How many are kept.
    pub accepted: usize,
    /// Those that are not.
    pub rejected: Vec<MetricRejected>,
}

/// A value that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricRejected {
    /// Its place in the request, from 0.
    pub index: usize,
    /// For programs: stable.
    pub code: &'static str,
    /// For people: what to do.
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
}

/// Which values to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MetricFilter {
    /// Only values of this project.
    pub project_id: Option<ProjectId>,
    /// Only values of this metric.
    pub metric_name: Option<String>,
    /// Only values of this series.
    pub series: Option<String>,
    /// Only values with these tags, by comma: `host:web-1,region:eu`.
    pub tags: Option<String>,
    /// Only values measured from then on.
    pub from: Option<DateTime<Utc>>,
    /// Only values measured before then.
    pub to: Option<DateTime<Utc>>,
}

impl MetricRejected {
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
    fn point(self, owner: Owner, max_age_days: u32, now: DateTime<Utc>) -> Result<Point> {
        bounded("metric_name", &self.metric_name, MAX_NAME)?;
        if let Some(unit) = &self.unit {
            bounded("unit", unit, MAX_ID)?;
        }
        if self.id.is_some() && self.timestamp.is_none() {
            return Err(Error::invalid("timestamp", "must be given with an id, or it would count again"));
        }
        let at = self.timestamp.unwrap_or(now);
        check_time(at, max_age_days, now).map_err(|why| Error::invalid("timestamp", why))?;
        let tags = tags(self.tags)?;
        let point =
            Point::new(owner.project, self.metric_name, self.kind, self.unit, tags, self.metric_value, at);
        match self.id {
            None => Ok(point),
            Some(id) => {
                bounded("id", &id, MAX_ID)?;
                Ok(point.known_as(owner.project, &id))
            }
        }
    }
}

fn tags(told: Map<String, Value>) -> Result<Tags> {
    if told.len() > MAX_TAGS {
        return Err(Error::invalid("tags", format!("must be at most {MAX_TAGS}")));
    }
    let tag = |(name, value): (String, Value)| {
        let param = format!("tags.{name}");
        bounded(&param, &name, MAX_KEY)?;
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(bool) => bool.to_string(),
            _ => return Err(Error::invalid(param, "must be a text, a number or a truth value")),
        };
        bounded(&param, &value, MAX_TAG)?;
        Ok((name, value))
    };
    told.into_iter().map(tag).collect()
}

/// `host:web-1,region:eu` as fields.
pub(super) fn read_tags(text: &str) -> Result<Map<String, Value>> {
    let tag = |text: &str| match text.split_once(':') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.into())),
        _ => Err(Error::invalid("tags", "must be names and values: `host:web-1,region:eu`")),
    };
    text.split(',').filter(|text| !text.is_empty()).map(tag).collect()
}

impl Insight {
    /// Keeps values; those at fault are refused alone.
    pub(crate) async fn take_metrics(&self, owner: Owner, told: Vec<Value>) -> Result<MetricsTaken> {
        let settings = self.0.metrics.of(owner.tenant);
        if told.len() > settings.max_values {
            let message = format!("send at most {} values at a time", settings.max_values);
            return Err(Error::new(Kind::TooLarge, "too_many_values", message).with_param("metrics"));
        }
        let now = self.0.clock.now();
        let (mut points, mut places, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        for (index, value) in told.into_iter().enumerate() {
            match read(value).and_then(|new| new.point(owner, settings.max_age_days, now)) {
                Ok(point) => {
                    points.push(point);
                    places.push(index);
                }
                Err(e) => rejected.push(MetricRejected::new(index, &e)),
            }
        }
        let accepted = points.len();
        let refused = self.accept_points(owner, points).await?;
        let too_many = Error::new(Kind::TooMany, "too_many_series", TOO_MANY).with_param("tags");
        rejected.extend(refused.iter().map(|number| MetricRejected::new(places[*number], &too_many)));
        rejected.sort_by_key(|rejected| rejected.index);
        Ok(MetricsTaken { accepted: accepted - refused.len(), rejected })
    }

    /// The tenant's values, the latest first.
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
    let told = serde_path_to_error::deserialize::<_, MetricCreate>(value);
    told.map_err(|e| Error::invalid(e.path().to_string(), e.inner().to_string()))
}
