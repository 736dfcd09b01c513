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
use crate::Insight;
use crate::performance_records::seconds;

/// How far back versions are looked for, unless asked.
const BACK: TimeDelta = TimeDelta::days(92);

/// Of which project, and since when.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VersionsQuery {
    /// Of which project.
    pub project_id: ProjectId,
    /// Only what was seen then or later; the last 92 days unless given.
    pub from: Option<DateTime<Utc>>,
}

/// A version of an application.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Version {
    /// The version, else the commit; empty when neither was told.
    pub version: String,
    /// The hour of its first request in the time asked for.
    pub first_seen: DateTime<Utc>,
    /// The hour of its last request.
    pub last_seen: DateTime<Utc>,
    /// Requests.
    pub requests: i64,
    /// Those that failed.
    pub errors: i64,
    /// Their share.
    pub error_rate: Option<f64>,
    /// Seconds of a request.
    pub avg_duration: Option<f64>,
}

#[derive(FromQueryResult)]
struct Row {
    version: String,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    first_told: DateTime<Utc>,
    last_told: DateTime<Utc>,
    requests: i64,
    errors: i64,
    duration_us: i64,
}

/// A moment of an hour: when it was told of, if that was within the hour, as it is unless telemetry comes late.
fn moment(hour: DateTime<Utc>, told: DateTime<Utc>) -> DateTime<Utc> {
    if Granularity::Hour.bucket(told) == hour { told } else { hour }
}

impl Insight {
    /// The versions of a project, that which was seen last first.
    pub async fn list_versions(&self, scope: &Scope, query: &VersionsQuery) -> Result<Vec<Version>> {
        let from = query.from.unwrap_or_else(|| self.0.clock.now() - BACK);
        let tx = self.0.db.read(scope).await?;
        let sum = |column: &str| Expr::cust(format!("CAST(SUM({column}) AS bigint)"));
        let rows: Vec<Row> = tx
            .find::<Entity>()
            .select_only()
            .column(Column::Version)
            .column_as(Column::Bucket.min(), "first_seen")
            .column_as(Column::Bucket.max(), "last_seen")
            .column_as(Column::CreatedAt.min(), "first_told")
            .column_as(Column::UpdatedAt.max(), "last_told")
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
                    first_seen: moment(row.first_seen, row.first_told),
                    last_seen: moment(row.last_seen, row.last_told),
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
