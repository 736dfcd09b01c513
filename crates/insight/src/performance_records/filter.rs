//! Filters of performance records.

use chrono::{DateTime, Utc};
use loam_db::{Find, Tenant, Tx};
use loam_kernel::{Error, ProjectId, Result};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::entity::{Column, Entity, Model};

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordOrder {
    /// Newest first.
    #[default]
    Time,
    /// Slowest first.
    Duration,
}

/// Filters of performance records.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PerformanceRecordFilter {
    /// Project ID.
    pub project_id: Option<ProjectId>,
    /// Endpoint, such as `GET /users/{id}`.
    pub endpoint: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// HTTP status code.
    pub status_code: Option<u16>,
    /// Whether the request failed.
    pub is_error: Option<bool>,
    /// Version of the application.
    pub version: Option<String>,
    /// Trace ID.
    pub trace_id: Option<String>,
    /// Service name.
    pub service: Option<String>,
    /// Only records in which this function (`module.Class.name`) is among those that took the most time. Requires
    /// `project_id`.
    pub function: Option<String>,
    /// Minimum self time of `function`, in seconds.
    pub function_min_time: Option<f64>,
    /// Minimum duration in seconds.
    pub min_duration: Option<f64>,
    /// Maximum duration in seconds.
    pub max_duration: Option<f64>,
    /// Earliest start of the request, inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Latest start of the request, exclusive.
    pub to: Option<DateTime<Utc>>,
    /// Order of the list. Defaults to `time`, newest first. `duration`, slowest first, requires `project_id`, and can't be
    /// combined with `function`.
    pub order: Option<RecordOrder>,
}

impl PerformanceRecordFilter {
    pub(super) fn check(&self) -> Result<()> {
        let needs_project =
            |param: &str| Err(Error::invalid("project_id", format!("is required with `{param}`")));
        if self.project_id.is_none() && self.order == Some(RecordOrder::Duration) {
            return needs_project("order=duration");
        }
        if self.function.is_some() {
            if self.project_id.is_none() {
                return needs_project("function");
            }
            if self.order == Some(RecordOrder::Duration) {
                return Err(Error::invalid("order", "must be `time` with `function`"));
            }
        } else if self.function_min_time.is_some() {
            return Err(Error::invalid("function_min_time", "requires `function`"));
        }
        let seconds = [
            ("min_duration", self.min_duration),
            ("max_duration", self.max_duration),
            ("function_min_time", self.function_min_time),
        ];
        match seconds.into_iter().find(|(_, value)| value.is_some_and(|value| !(0.0..=1e9).contains(&value)))
        {
            Some((param, _)) => {
                Err(Error::invalid(param, "must be a number of seconds from 0 to 1000000000"))
            }
            None => Ok(()),
        }
    }

    /// Adds all conditions except time and function to a query.
    pub(super) fn apply<'tx>(&self, mut find: Find<'tx, Entity>) -> Find<'tx, Entity> {
        if let Some(project) = self.project_id {
            find = find.filter(Column::ProjectId.eq(project));
        }
        for (column, value) in [
            (Column::Endpoint, &self.endpoint),
            (Column::Method, &self.method),
            (Column::Version, &self.version),
            (Column::TraceId, &self.trace_id),
            (Column::Service, &self.service),
        ] {
            if let Some(value) = value {
                find = find.filter(column.eq(value.as_str()));
            }
        }
        if let Some(status) = self.status_code {
            find = find.filter(Column::StatusCode.eq(i32::from(status)));
        }
        if let Some(is_error) = self.is_error {
            find = find.filter(Column::IsError.eq(is_error));
        }
        if let Some(min) = self.min_duration {
            find = find.filter(Column::DurationUs.gte(micros(min)));
        }
        if let Some(max) = self.max_duration {
            find = find.filter(Column::DurationUs.lte(micros(max)));
        }
        find
    }
}

/// Converts seconds to microseconds.
pub(super) fn micros(seconds: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "checked to lie within the range")]
    let micros = (seconds * 1e6).round() as i64;
    micros
}

/// The records with these ids that match the filter, in no particular order.
pub(super) async fn matching(
    tx: &Tx<Tenant>,
    filter: &PerformanceRecordFilter,
    ids: &[uuid::Uuid],
) -> Result<Vec<Model>> {
    filter.apply(tx.find::<Entity>()).filter(Column::Id.is_in(ids.iter().copied())).all().await
}
