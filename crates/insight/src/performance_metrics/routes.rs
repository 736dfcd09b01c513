//! The routes of metrics.

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Query, read_json};
use loam_kernel::{Page, PageQuery, PerformanceMetricId, ProjectId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::chart::{Aggregate, ChartLine, ChartQuery};
use super::entity::Model;
use super::kind::MetricKind;
use super::names::{MetricName, MetricNamesQuery};
use super::service::{MetricCreate, MetricFilter, MetricsAccepted};
use crate::ingest::{Ingest, IngestSource, ProjectSelector};
use crate::otlp::ProjectRef;

/// Metric values to ingest.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MetricBatch {
    /// The values: at most 5000 by default, configurable as `insight.metrics`.
    #[schema(value_type = Vec<MetricCreate>)]
    metrics: Vec<Value>,
}

/// A metric value.
#[derive(Serialize, ToSchema)]
pub struct PerformanceMetricView {
    id: PerformanceMetricId,
    project_id: ProjectId,
    metric_name: String,
    metric_value: f64,
    kind: MetricKind,
    unit: Option<String>,
    /// Tags: values by name.
    #[schema(value_type = BTreeMap<String, String>)]
    tags: Value,
    /// Identifies the metric name and tags: the same for all values of a series.
    series: String,
    /// Time of the measurement.
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
    data: Vec<ChartLine>,
}

/// The metrics of a project.
#[derive(Serialize, ToSchema)]
struct MetricNames {
    /// By name; at most 500.
    data: Vec<MetricName>,
}

/// The types of query parameters, which utoipa does not collect.
#[derive(OpenApi)]
#[openapi(components(schemas(Aggregate)))]
struct ParameterTypes;

pub(crate) fn router(ingest: Ingest) -> OpenApiRouter {
    OpenApiRouter::with_openapi(ParameterTypes::openapi())
        .routes(routes!(create, list))
        .routes(routes!(chart))
        .routes(routes!(names))
        .with_state(ingest)
}

/// Ingests metric values. They are durable when the response is sent, and visible within a second. Invalid values are
/// rejected individually.
#[utoipa::path(
    post, path = "/api/v1/performance_metrics", tag = "performance_metrics", operation_id = "performance_metrics_create",
    params(
        ProjectSelector,
        ("x-loam-project" = Option<ProjectId>, Header, description = "Project of the data, for keys of the whole tenant."),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`."),
    ),
    request_body = MetricBatch,
    responses((status = 200, body = MetricsAccepted)),
    extensions(("x-errors" = json!({
        "400": ["invalid_encoding", "project_required"],
        "403": ["other_project", "project_inactive", "project_archived", "monitoring_disabled"],
        "413": ["too_many_values"],
        "415": ["unsupported_encoding"],
        "429": ["too_many_series", "telemetry_limit"]
    }))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn create(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Query(selector): Query<ProjectSelector>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Answer<MetricsAccepted>> {
    let decode = |_: &IngestSource, body: &[u8]| read_json::<MetricBatch>(body);
    let (ingest_source, batch) = ingest.receive(&scope, selector.project, &headers, body, decode).await?;
    Ok(Answer(ingest.ingest_metrics(ProjectRef::from(&ingest_source), batch.metrics).await?))
}

/// Lists metric values, newest first.
#[utoipa::path(
    get, path = "/api/v1/performance_metrics", tag = "performance_metrics", operation_id = "performance_metrics_list",
    params(MetricFilter, PageQuery),
    responses((status = 200, body = Page<PerformanceMetricView>)),
    security(("api_key" = ["performance_metrics:read"]))
)]
async fn list(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Query(filter): Query<MetricFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<PerformanceMetricView>>> {
    Ok(Answer(ingest.list_metrics(&scope, filter, &page).await?.map(PerformanceMetricView::from)))
}

/// Returns values of a metric over time, by minute or hour, grouped by tags.
#[utoipa::path(
    get, path = "/api/v1/metric_stats", tag = "performance_metrics", operation_id = "metric_stats_chart",
    params(ChartQuery),
    responses((status = 200, body = Chart)),
    extensions(("x-errors" = json!({"400": ["too_many_groups"]}))),
    security(("api_key" = ["performance_metrics:read"]))
)]
async fn chart(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Query(query): Query<ChartQuery>,
) -> ApiResult<Answer<Chart>> {
    Ok(Answer(Chart { data: ingest.chart(&scope, &query).await? }))
}

/// Lists the metrics of a project by name.
#[utoipa::path(
    get, path = "/api/v1/metric_names", tag = "performance_metrics", operation_id = "metric_names_all",
    params(MetricNamesQuery),
    responses((status = 200, body = MetricNames)),
    security(("api_key" = ["performance_metrics:read"]))
)]
async fn names(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Query(query): Query<MetricNamesQuery>,
) -> ApiResult<Answer<MetricNames>> {
    Ok(Answer(MetricNames { data: ingest.metric_names(&scope, query).await? }))
}
