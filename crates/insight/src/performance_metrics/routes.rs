//! The routes of metrics.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Json, Query};
use loam_kernel::{Page, PageQuery, PerformanceMetricId, ProjectId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::chart::{ChartQuery, Line};
use super::entity::Model;
use super::kind::MetricKind;
use super::service::{MetricCreate, MetricFilter, MetricsTaken};
use crate::otlp::Owner;
use crate::otlp::routes::sender;
use crate::service::Insight;

/// Values to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MetricBatch {
    /// At most 5000, unless operators set another number.
    #[schema(value_type = Vec<MetricCreate>)]
    metrics: Vec<Value>,
}

/// A value that an application measured.
#[derive(Serialize, ToSchema)]
pub struct PerformanceMetricView {
    id: PerformanceMetricId,
    project_id: ProjectId,
    metric_name: String,
    metric_value: f64,
    kind: MetricKind,
    unit: Option<String>,
    /// Text by name.
    #[schema(value_type = Object)]
    tags: Value,
    /// The same for all values of one name and the same tags.
    series: String,
    /// When it was measured.
    timestamp: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

impl From<Model> for PerformanceMetricView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            metric_name: row.metric_name,
            metric_value: row.metric_value,
            kind: row.kind,
            unit: row.unit,
            tags: row.tags,
            series: row.series,
            timestamp: row.timestamp,
            created_at: row.created_at,
        }
    }
}

/// The lines of a chart.
#[derive(Serialize, ToSchema)]
struct Chart {
    data: Vec<Line>,
}

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(chart)).with_state(insight)
}

/// Keeps values that an application measured: durable when it answers, listed and charted within a second. A value at fault
/// is refused alone.
#[utoipa::path(
    post, path = "/api/v1/performance_metrics", tag = "performance_metrics", operation_id = "performance_metrics_create",
    request_body = MetricBatch,
    responses((status = 200, body = MetricsTaken), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["telemetry:send"]))
)]
async fn create(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Json(new): Json<MetricBatch>,
) -> ApiResult<Answer<MetricsTaken>> {
    let sender = sender(&insight, &scope, &headers).await?;
    Ok(Answer(insight.take_metrics(Owner::from(&sender), new.metrics).await?))
}

/// Values, the latest first.
#[utoipa::path(
    get, path = "/api/v1/performance_metrics", tag = "performance_metrics", operation_id = "performance_metrics_list",
    params(MetricFilter, PageQuery),
    responses((status = 200, body = Page<PerformanceMetricView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["performance_metrics:read"]))
)]
async fn list(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(filter): Query<MetricFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<PerformanceMetricView>>> {
    Ok(Answer(insight.list_metrics(&scope, filter, &page).await?.map(PerformanceMetricView::from)))
}

/// Values of a metric over time: by minute or hour, and by tags.
#[utoipa::path(
    get, path = "/api/v1/metric_stats", tag = "performance_metrics", operation_id = "metric_stats_chart",
    params(ChartQuery),
    responses((status = 200, body = Chart), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["performance_metrics:read"]))
)]
async fn chart(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(query): Query<ChartQuery>,
) -> ApiResult<Answer<Chart>> {
    Ok(Answer(Chart { data: insight.chart(&scope, &query).await? }))
}
