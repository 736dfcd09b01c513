//! Measures the value of a rule from the stored sums.

use chrono::{DateTime, TimeDelta, Utc};
use loam_gateway::usage::Granularity as UsageGranularity;
use loam_gateway::usage::service::UsageQuery;
use loam_kernel::{ProjectId, Result, Scope};
use loam_platform::sketch::Sketch;
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::Value;

use crate::alert_rules::definition::{Aggregate, Definition, Selector};
use crate::alert_rules::entity::AlertMetric;
use crate::alerts::Alerts;
use crate::stats::{Granularity, MEGABYTE, MICROS, endpoints, metrics};

/// Longest window, in seconds, that is measured from sums per minute; longer windows use sums per hour.
const MAX_MINUTE_WINDOW: i32 = 3600;
/// Sketch units per unit of a metric.
const MILLIONTHS: f64 = 1e6;

/// The measurement of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Observation {
    /// The value; `None` if there are too few samples.
    pub(crate) value: Option<f64>,
    /// Number of requests, calls or values in the window.
    pub(crate) samples: i64,
    /// Start of the window.
    pub(crate) from: DateTime<Utc>,
    /// End of the window.
    pub(crate) to: DateTime<Utc>,
}

impl Alerts {
    /// Measures the value of a rule over the window that ends now.
    pub(super) async fn measure(
        &self,
        scope: &Scope,
        project: ProjectId,
        rule: &Definition,
    ) -> Result<Observation> {
        let to = self.0.clock.now();
        let (minutes, granularity) = match rule.window_seconds {
            ..=MAX_MINUTE_WINDOW => (true, Granularity::Minute),
            _ => (false, Granularity::Hour),
        };
        let from = granularity.bucket(to - TimeDelta::seconds(rule.window_seconds.into()));
        let (value, samples) = match rule.metric {
            AlertMetric::Cost => {
                let granularity = if minutes { UsageGranularity::Minute } else { UsageGranularity::Hour };
                let query = UsageQuery {
                    from: Some(from),
                    to: Some(to),
                    granularity: Some(granularity),
                    group_by: None,
                    provider: rule.selector.provider.clone(),
                    model: rule.selector.model.clone(),
                    project_id: Some(project),
                    ..UsageQuery::default()
                };
                let usage = self.0.gateway.usage(scope, query).await?;
                usage.first().map_or((Some(0.0), 0), |usage| (Some(usage.cost_usd), usage.calls))
            }
            AlertMetric::PerformanceMetric => {
                let rows = self.metric_rows(scope, project, &rule.selector, granularity, from).await?;
                metric_value(&rows, rule.selector.aggregate.unwrap_or_default())?
            }
            metric => {
                let rows = self.endpoint_rows(scope, project, &rule.selector, granularity, from).await?;
                let minutes = (to - from).as_seconds_f64() / 60.0;
                request_value(&rows, metric, minutes)?
            }
        };
        // for these metrics, no traffic is a value as well
        let zero_counts = matches!(rule.metric, AlertMetric::Cost | AlertMetric::RequestRate);
        let enough = zero_counts || samples >= rule.min_samples.max(1).into();
        Ok(Observation { value: value.filter(|value| enough && value.is_finite()), samples, from, to })
    }

    async fn endpoint_rows(
        &self,
        scope: &Scope,
        project: ProjectId,
        selector: &Selector,
        granularity: Granularity,
        from: DateTime<Utc>,
    ) -> Result<Vec<endpoints::Model>> {
        use endpoints::{Column, Entity};
        let tx = self.0.db.read(scope).await?;
        let mut find = tx
            .find::<Entity>()
            .filter(Column::ProjectId.eq(project))
            .filter(Column::Granularity.eq(granularity))
            .filter(Column::Bucket.gte(from));
        for (column, value) in [(Column::Endpoint, &selector.endpoint), (Column::Version, &selector.version)]
        {
            if let Some(value) = value {
                find = find.filter(column.eq(value.as_str()));
            }
        }
        find.all().await
    }

    async fn metric_rows(
        &self,
        scope: &Scope,
        project: ProjectId,
        selector: &Selector,
        granularity: Granularity,
        from: DateTime<Utc>,
    ) -> Result<Vec<metrics::Model>> {
        use metrics::{Column, Entity};
        let tx = self.0.db.read(scope).await?;
        let name = selector.metric_name.as_deref().unwrap_or_default();
        let find = tx
            .find::<Entity>()
            .filter(Column::ProjectId.eq(project))
            .filter(Column::MetricName.eq(name))
            .filter(Column::Granularity.eq(granularity))
            .filter(Column::Bucket.gte(from));
        let tags = selector.tags.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        let tags: serde_json::Map<String, Value> = tags.collect();
        let find = if tags.is_empty() { find } else { find.containing(Column::Tags, &tags) };
        find.all().await
    }
}

#[expect(clippy::cast_precision_loss, reason = "sums that people compare with a threshold")]
fn request_value(rows: &[endpoints::Model], metric: AlertMetric, minutes: f64) -> Result<(Option<f64>, i64)> {
    let requests: i64 = rows.iter().map(|row| row.requests).sum();
    let share = |sum: i64| (requests > 0).then(|| sum as f64 / requests as f64);
    let value = match metric {
        AlertMetric::ResponseTimeMean => {
            share(rows.iter().map(|row| row.duration_us).sum()).map(|mean| mean / MICROS)
        }
        AlertMetric::ResponseTimeP50 => quantile(rows, 0.5)?,
        AlertMetric::ResponseTimeP95 => quantile(rows, 0.95)?,
        AlertMetric::ResponseTimeP99 => quantile(rows, 0.99)?,
        AlertMetric::ErrorRate => share(rows.iter().map(|row| row.errors).sum()),
        AlertMetric::MemoryUsage => {
            // zero means that no request reported it
            let peak = rows.iter().map(|row| row.memory_peak).max().filter(|peak| *peak > 0);
            peak.map(|bytes| bytes as f64 / MEGABYTE)
        }
        AlertMetric::RequestRate => Some(requests as f64 / minutes),
        AlertMetric::Cost | AlertMetric::PerformanceMetric => None,
    };
    Ok((value, requests))
}

fn quantile(rows: &[endpoints::Model], share: f64) -> Result<Option<f64>> {
    let all = Sketch::sum_of(rows.iter().map(|row| row.sketch.as_slice()))?;
    Ok(all.quantile(share).map(|micros| micros / MICROS))
}

#[expect(clippy::cast_precision_loss, reason = "sums that people compare with a threshold")]
fn metric_value(rows: &[metrics::Model], aggregate: Aggregate) -> Result<(Option<f64>, i64)> {
    let samples: i64 = rows.iter().map(|row| row.samples).sum();
    let total: f64 = rows.iter().map(|row| row.total).sum();
    let value = match aggregate {
        _ if samples == 0 => None,
        Aggregate::Mean => Some(total / samples as f64),
        Aggregate::Sum => Some(total),
        Aggregate::Min => rows.iter().map(|row| row.least).reduce(f64::min),
        Aggregate::Max => rows.iter().map(|row| row.greatest).reduce(f64::max),
        Aggregate::Last => rows.iter().max_by_key(|row| row.last_at).map(|row| row.last),
        Aggregate::P95 => {
            let all = Sketch::sum_of(rows.iter().map(|row| row.sketch.as_slice()))?;
            all.quantile(0.95).map(|millionths| millionths / MILLIONTHS)
        }
    };
    Ok((value, samples))
}
