//! Liveness, readiness and metrics.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use loam_db::Db;
use loam_gateway::Proxy;
use loam_http::surface::{ApiResult, ErrorBody};
use loam_journal::{Journal, SYNC_BUCKETS_MICROS};
use loam_platform::cache::Caches;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::connections::Registry;

/// Timeout of the database check.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The sources of the server's state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Health(Arc<Inner>);

struct Inner {
    db: Db,
    journal: Journal,
    proxy: Proxy,
    caches: Caches,
    stopping: AtomicBool,
    connections: OnceLock<Registry>,
}

impl Health {
    pub(crate) fn new(db: Db, journal: Journal, proxy: Proxy, caches: Caches) -> Self {
        Self(Arc::new(Inner {
            db,
            journal,
            proxy,
            caches,
            stopping: AtomicBool::new(false),
            connections: OnceLock::new(),
        }))
    }

    /// Marks the server as not ready, so that a load balancer stops sending requests.
    pub(crate) fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Adds the metrics of connections.
    pub(crate) fn watch(&self, connections: &Registry) {
        _ = self.0.connections.set(connections.clone());
    }

    async fn read(&self) -> Readiness {
        let database = matches!(tokio::time::timeout(TIMEOUT, self.0.db.ping()).await, Ok(Ok(())));
        let stats = self.0.journal.stats();
        let journal = stats.last_error.is_none() || stats.queued_bytes == 0;
        let status = match (self.0.stopping.load(Ordering::Relaxed), journal, database) {
            (true, ..) => Status::Stopping,
            (_, false, _) => Status::Unavailable,
            // calls continue: keys and providers are cached, and the journal stores the records
            (_, _, false) => Status::Degraded,
            _ => Status::Ready,
        };
        Readiness { status, database, journal, undrained_bytes: stats.undrained_bytes }
    }
}

/// The readiness status.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Fully operational.
    Ready,
    /// The database is unavailable: model calls continue, other operations return 503.
    Degraded,
    /// Nothing can be recorded.
    Unavailable,
    /// It is stopping.
    Stopping,
}

/// The readiness of the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    status: Status,
    /// Whether the database is available.
    database: bool,
    /// Whether the journal can write.
    journal: bool,
    /// Bytes in the journal that are not in the database yet.
    undrained_bytes: u64,
}

pub(crate) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// Liveness check.
#[utoipa::path(get, path = "/healthz", tag = "instance", operation_id = "healthz", responses((status = 200, body = String)), security(()))]
async fn healthz() -> &'static str {
    "ok"
}

/// Readiness check for model calls.
///
/// 200 with `ready` or `degraded` (the database is unavailable), otherwise 503.
#[utoipa::path(
    get, path = "/readyz", tag = "instance", operation_id = "readyz",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)), security(())
)]
async fn readyz(Extension(health): Extension<Health>) -> Response {
    let readiness = health.read().await;
    let status = match readiness.status {
        Status::Ready | Status::Degraded => StatusCode::OK,
        Status::Unavailable | Status::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(readiness)).into_response()
}

/// Returns the instance's metrics for Prometheus; for operators, unless `server.public_metrics` is set.
#[utoipa::path(
    get, path = "/metrics", tag = "instance", operation_id = "metrics",
    responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["metrics:read"]))
)]
async fn metrics(
    Extension(health): Extension<Health>,
    Extension(prometheus): Extension<PrometheusHandle>,
) -> ApiResult<Response> {
    for pool in health.0.db.pool_use() {
        metrics::gauge!("loam_db_pool_connections", "pool" => pool.name, "state" => "open")
            .set(f64::from(pool.open));
        metrics::gauge!("loam_db_pool_connections", "pool" => pool.name, "state" => "idle")
            .set(to_f64(pool.idle as u64));
        metrics::gauge!("loam_db_pool_connections_max", "pool" => pool.name).set(f64::from(pool.max));
    }
    if let Ok(Ok(bytes)) = tokio::time::timeout(TIMEOUT, health.0.db.size_bytes()).await {
        metrics::gauge!("loam_db_size_bytes").set(to_f64(bytes.unsigned_abs()));
    }
    metrics::gauge!("loam_gateway_open_calls").set(to_f64(health.0.proxy.open_calls() as u64));
    if let Some(connections) = health.0.connections.get() {
        let (open, anonymous) = connections.counts();
        metrics::gauge!("loam_connections", "credential" => "yes").set(to_f64((open - anonymous) as u64));
        metrics::gauge!("loam_connections", "credential" => "no").set(to_f64(anonymous as u64));
        metrics::gauge!("loam_body_bytes").set(to_f64(connections.body_bytes() as u64));
    }
    journal_figures(&health.0.journal);
    health.0.caches.publish();
    prometheus.run_upkeep();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], prometheus.render()).into_response())
}

fn journal_figures(journal: &Journal) {
    let stats = journal.stats();
    metrics::gauge!("loam_journal_queued_bytes").set(to_f64(stats.queued_bytes));
    metrics::gauge!("loam_journal_undrained_bytes").set(to_f64(stats.undrained_bytes));
    metrics::gauge!("loam_journal_segment_bytes").set(to_f64(stats.segment_bytes));
    metrics::counter!("loam_journal_frames_total").absolute(stats.frames);
    metrics::counter!("loam_journal_bytes_total").absolute(stats.bytes);
    metrics::counter!("loam_journal_refused_total").absolute(stats.refused_full);
    metrics::counter!("loam_journal_failures_total").absolute(stats.failures);
    metrics::counter!("loam_journal_syncs_total").absolute(stats.syncs);
    metrics::gauge!("loam_journal_sync_seconds_sum").set(stats.sync_time.as_secs_f64());
    metrics::gauge!("loam_journal_sync_seconds_max").set(stats.sync_max.as_secs_f64());
    let mut up_to = 0;
    for (bound, count) in SYNC_BUCKETS_MICROS.iter().zip(stats.sync_buckets) {
        up_to += count;
        metrics::counter!("loam_journal_syncs_up_to_total", "microseconds" => bound.to_string())
            .absolute(up_to);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
fn to_f64(value: u64) -> f64 {
    value as f64
}
