//! API views of performance records.

use chrono::{DateTime, Utc};
use loam_kernel::{ErrorLogId, PerformanceRecordId, ProjectId};
use loam_platform::error_logs;
use loam_platform::pack::unpack_json;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::entity::Model;
use crate::function_calls::CallReference;
use crate::rules::Finding;
use crate::trace::{Environment, RequestInfo, ResponseInfo, Tree, VersionInfo};

/// Maximum number of calls in the view of a record; all are at `/api/v1/function_calls`.
const MAX_REFERENCES: usize = 500;

/// A request that a monitored application served. Times are in seconds, memory in megabytes.
#[derive(Serialize, ToSchema)]
pub struct PerformanceRecordView {
    id: PerformanceRecordId,
    project_id: ProjectId,
    trace_id: String,
    /// ID of the call that serves the request.
    call_id: String,
    /// Route template, such as `GET /users/{id}`.
    endpoint: String,
    service: Option<String>,
    is_error: bool,
    request_info: RequestInfo,
    response_info: ResponseInfo,
    performance_metrics: PerformanceMetrics,
    /// The first 500 calls. Omitted in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    function_calls: Option<Vec<CallReference>>,
    /// The first 100 exceptions. Omitted in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    errors: Option<Vec<ErrorReference>>,
    /// Number of calls.
    call_count: i64,
    /// Whether calls above the limit per trace were dropped.
    is_cut: bool,
    version_info: VersionInfo,
    environment: Environment,
    /// Score of the diagnosis rules, 0 to 100; null if they were not applicable.
    score: Option<i32>,
    /// Findings of the diagnosis rules. Omitted in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Finding>>, nullable = false)]
    findings: Option<Value>,
    /// Protocol: `records`, `otlp`.
    source: String,
    /// Start of the request.
    timestamp: DateTime<Utc>,
    /// When it was received.
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// An exception raised while the request was served. The full error is at `/api/v1/error_logs`.
#[derive(Serialize, ToSchema)]
pub struct ErrorReference {
    id: ErrorLogId,
    /// ID of the call that raised it.
    #[schema(value_type = Option<String>)]
    call_id: Value,
    #[schema(value_type = Option<String>)]
    function: Value,
    error_type: String,
    error_message: String,
    /// Identifies equivalent errors.
    fingerprint: String,
}

impl From<error_logs::entity::Model> for ErrorReference {
    fn from(mut row: error_logs::entity::Model) -> Self {
        let mut field = |name: &str| row.context.get_mut(name).map(Value::take).unwrap_or_default();
        Self {
            call_id: field("call_id"),
            function: field("function"),
            id: row.id,
            error_type: row.error_type,
            error_message: row.error_message,
            fingerprint: row.fingerprint,
        }
    }
}

/// Measurements of a request.
#[derive(Serialize, ToSchema)]
struct PerformanceMetrics {
    total_duration: f64,
    cpu_time: Option<f64>,
    memory_usage: MemoryUsage,
    database_metrics: DatabaseMetrics,
    cache_metrics: CacheMetrics,
}

#[derive(Serialize, ToSchema)]
struct MemoryUsage {
    peak_memory: Option<i64>,
    memory_delta: Option<i64>,
    /// Peak memory in bytes.
    peak_bytes: Option<i64>,
    /// Change of memory use in bytes.
    delta_bytes: Option<i64>,
}

/// Database queries.
#[derive(Serialize, ToSchema)]
pub(crate) struct DatabaseMetrics {
    pub(crate) query_count: i64,
    pub(crate) query_time: f64,
    /// Queries of 100 milliseconds or more.
    pub(crate) slow_queries: i64,
}

/// Cache operations.
#[derive(Serialize, ToSchema)]
pub(crate) struct CacheMetrics {
    pub(crate) cache_hits: i64,
    pub(crate) cache_misses: i64,
    pub(crate) cache_time: f64,
}

/// Converts microseconds to seconds.
pub(crate) fn seconds(micros: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    let seconds = micros as f64 / 1e6;
    seconds
}

/// Converts bytes to megabytes, rounded to the nearest.
pub(crate) fn megabytes(bytes: i64) -> i64 {
    bytes.saturating_add(bytes.signum() << 19) / (1 << 20)
}

impl PerformanceRecordView {
    /// Time of the last update.
    pub(crate) fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }

    /// The record with its findings, errors and stored calls.
    pub(crate) fn whole(
        mut row: Model,
        errors: Vec<error_logs::entity::Model>,
        tree: Option<(&Tree, usize)>,
    ) -> Self {
        let errors = Some(errors.into_iter().map(ErrorReference::from).collect());
        let findings = row.findings.take().map_or_else(|| json!([]), |packed| unpack_json(&packed));
        let calls = tree.map(|(tree, root)| {
            tree.subtree(root)
                .take(MAX_REFERENCES)
                .map(|index| CallReference::of(tree, root, index))
                .collect()
        });
        Self {
            findings: Some(findings),
            errors,
            function_calls: Some(calls.unwrap_or_default()),
            ..row.into()
        }
    }
}

impl From<Model> for PerformanceRecordView {
    fn from(row: Model) -> Self {
        let mut details = unpack_json(&row.details);
        let mut section = |name: &str| details.get_mut(name).map(Value::take).unwrap_or_default();
        Self {
            request_info: serde_json::from_value(section("request_info")).unwrap_or_default(),
            response_info: serde_json::from_value(section("response_info")).unwrap_or_default(),
            version_info: serde_json::from_value(section("version_info")).unwrap_or_default(),
            environment: serde_json::from_value(section("environment")).unwrap_or_default(),
            performance_metrics: PerformanceMetrics {
                total_duration: seconds(row.duration_us),
                cpu_time: row.cpu_us.map(seconds),
                memory_usage: MemoryUsage {
                    peak_memory: row.memory_peak.map(megabytes),
                    memory_delta: row.memory_delta.map(megabytes),
                    peak_bytes: row.memory_peak,
                    delta_bytes: row.memory_delta,
                },
                database_metrics: DatabaseMetrics {
                    query_count: row.query_count,
                    query_time: seconds(row.query_us),
                    slow_queries: row.slow_queries,
                },
                cache_metrics: CacheMetrics {
                    cache_hits: row.cache_hits,
                    cache_misses: row.cache_misses,
                    cache_time: seconds(row.cache_us),
                },
            },
            id: row.id,
            project_id: row.project_id,
            trace_id: row.trace_id,
            call_id: row.call_id,
            endpoint: row.endpoint,
            service: row.service,
            is_error: row.is_error,
            function_calls: None,
            errors: None,
            call_count: row.call_count,
            is_cut: row.is_cut,
            score: row.score,
            findings: None,
            source: row.source,
            timestamp: row.created_at,
            created_at: row.received_at.unwrap_or(row.created_at),
            updated_at: row.updated_at,
        }
    }
}
