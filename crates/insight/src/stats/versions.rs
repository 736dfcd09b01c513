//! The versions of an application that were seen.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{ProjectId, Result, Scope};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Granularity;
use super::endpoints::{Column, Entity};
use super::range::share;
use crate::performance_records::seconds;
use crate::stats::Stats;

/// How far back `from` defaults to.
const DEFAULT_RANGE: TimeDelta = TimeDelta::days(92);

/// Project and start of the time range.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VersionsQuery {
    /// Project ID.
    pub project_id: ProjectId,
    /// Only versions seen at or after this time; defaults to 92 days ago.
    pub from: Option<DateTime<Utc>>,
}

/// A version of an application.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Version {
    /// The version, else the commit; empty if neither was reported.
    pub version: String,
    /// Time of its first request in the range, exact to the hour.
    pub first_seen: DateTime<Utc>,
    /// Time of its last request, exact to the hour.
    pub last_seen: DateTime<Utc>,
    /// Requests.
    pub requests: i64,
    /// Failed requests.
    pub errors: i64,
    /// Share of failed requests, 0 to 1.
    pub error_rate: Option<f64>,
    /// Average duration of a request, in seconds.
    pub avg_duration: Option<f64>,
}

#[derive(FromQueryResult)]
struct Row {
    version: String,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    first_created: DateTime<Utc>,
    last_updated: DateTime<Utc>,
    requests: i64,
    errors: i64,
    duration_us: i64,
}

/// Refines the hour of a bucket: the time at which its row was written if that lies within the hour, as it does unless
/// telemetry arrives late.
fn refine(hour: DateTime<Utc>, written: DateTime<Utc>) -> DateTime<Utc> {
    if Granularity::Hour.bucket(written) == hour { written } else { hour }
}

impl Stats {
    /// The versions of a project, the most recently seen first.
    pub async fn list_versions(&self, scope: &Scope, query: &VersionsQuery) -> Result<Vec<Version>> {
        let from = query.from.unwrap_or_else(|| self.0.clock.now() - DEFAULT_RANGE);
        let tx = self.0.db.read(scope).await?;
        let sum = |column: &str| Expr::cust(format!("CAST(SUM({column}) AS bigint)"));
        let rows: Vec<Row> = tx
            .find::<Entity>()
            .select_only()
            .column(Column::Version)
            .column_as(Column::Bucket.min(), "first_seen")
            .column_as(Column::Bucket.max(), "last_seen")
            .column_as(Column::CreatedAt.min(), "first_created")
            .column_as(Column::UpdatedAt.max(), "last_updated")
            .column_as(sum("requests"), "requests")
            .column_as(sum("errors"), "errors")
            .column_as(sum("duration_us"), "duration_us")
            .filter(Column::ProjectId.eq(query.project_id))
            .filter(Column::Granularity.eq(Granularity::Hour))
            .filter(Column::Bucket.gte(Granularity::Hour.bucket(from)))
            .group_by(Column::Version)
            .into()
            .await?;
        let mut versions: Vec<Version> = rows
            .into_iter()
            .filter(|row| row.requests > 0)
            .map(|row| {
                #[expect(clippy::cast_precision_loss, reason = "an average")]
                let avg_duration = Some(seconds(row.duration_us) / row.requests as f64);
                Version {
                    version: row.version,
                    first_seen: refine(row.first_seen, row.first_created),
                    last_seen: refine(row.last_seen, row.last_updated),
                    requests: row.requests,
                    errors: row.errors,
                    error_rate: share(row.errors, row.requests),
                    avg_duration,
                }
            })
            .collect();
        versions.sort_by(|a, b| {
            (b.last_seen, b.first_seen, &b.version).cmp(&(a.last_seen, a.first_seen, &a.version))
        });
        Ok(versions)
    }
}
