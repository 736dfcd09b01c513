//! The measurements of a request: as reported by the application, otherwise computed from the spans.

use chrono::{DateTime, Utc};
use loam_kernel::{Error, PerformanceRecordId, Result};
use serde_json::json;

use super::name_limit::ProjectKey;
use crate::performance_records::entity::Model;
use crate::trace::{OperationKind, ServerSpan, Source, Tree, record_id};

/// Maximum size of the packed details, in bytes.
const MAX_DETAILS: usize = 1 << 20;

/// The measurements of a request. Times are in microseconds, memory in bytes.
pub(super) struct Figures {
    pub(super) id: PerformanceRecordId,
    pub(super) at: DateTime<Utc>,
    pub(super) duration_us: i64,
    pub(super) cpu_us: Option<i64>,
    pub(super) memory_peak: Option<i64>,
    pub(super) memory_delta: Option<i64>,
    pub(super) query_count: i64,
    pub(super) query_us: i64,
    pub(super) slow_queries: i64,
    pub(super) cache_hits: i64,
    pub(super) cache_misses: i64,
    pub(super) cache_us: i64,
    pub(super) call_count: i64,
}

/// Rounded to whole microseconds, so that sums are exact in any order.
pub(super) fn micros(nanos: u64) -> i64 {
    whole(nanos.saturating_add(500) / 1000)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Figures {
    /// The measurements of the request that this span of the tree serves.
    pub(super) fn of(
        (_, project): ProjectKey,
        trace_id: &str,
        server_span: &ServerSpan,
        tree: &Tree,
        root: usize,
        slow_query_ns: u64,
    ) -> Self {
        let span = &tree.spans()[root];
        let at = DateTime::from_timestamp_nanos(span.start_ns);
        let (mut queries, mut query_ns, mut slow) = (0, 0_u64, 0);
        let (mut hits, mut misses, mut cache_ns) = (0, 0, 0_u64);
        let subtree = tree.subtree(root);
        for index in subtree.clone() {
            let span = &tree.spans()[index];
            if tree.is_query(index) {
                queries += 1;
                query_ns = query_ns.saturating_add(span.duration_ns);
                slow += u64::from(span.duration_ns >= slow_query_ns);
            } else if span.kind == OperationKind::Cache {
                cache_ns = cache_ns.saturating_add(span.duration_ns);
                match span.detail.as_ref().and_then(|detail| detail.hit) {
                    Some(true) => hits += 1,
                    Some(false) => misses += 1,
                    None => {}
                }
            }
        }
        let measured = &server_span.measured;
        Self {
            id: record_id(project, trace_id, &server_span.call_id, at),
            at,
            duration_us: micros(span.duration_ns),
            cpu_us: measured.cpu_ns.or(span.cpu_ns).map(micros),
            memory_peak: measured.memory_peak,
            memory_delta: measured.memory_delta.or(span.memory_delta),
            query_count: whole(measured.query_count.unwrap_or(queries)),
            query_us: micros(measured.query_ns.unwrap_or(query_ns)),
            slow_queries: whole(measured.slow_queries.unwrap_or(slow)),
            cache_hits: whole(measured.cache_hits.unwrap_or(hits)),
            cache_misses: whole(measured.cache_misses.unwrap_or(misses)),
            cache_us: micros(measured.cache_ns.unwrap_or(cache_ns)),
            call_count: whole(subtree.len() as u64),
        }
    }

    /// The row of the performance record.
    pub(super) fn row(
        self,
        (tenant_id, project_id): ProjectKey,
        trace_id: &str,
        (source, server_span): &(Source, ServerSpan),
        is_cut: bool,
        now: DateTime<Utc>,
    ) -> Result<Model> {
        let details = json!({
            "request_info": server_span.request,
            "response_info": server_span.response,
            "version_info": server_span.version,
            "environment": server_span.environment,
        });
        let details = serde_json::to_vec(&details).map_err(Error::internal)?;
        Ok(Model {
            tenant_id,
            id: self.id,
            project_id,
            trace_id: trace_id.to_owned(),
            call_id: server_span.call_id.clone(),
            source: source.name().to_owned(),
            service: server_span.service.clone(),
            endpoint: server_span.endpoint.clone(),
            method: server_span.request.method.clone(),
            path: server_span.request.path.clone(),
            status_code: server_span.response.status_code.map(i32::from),
            is_error: server_span.is_error,
            version: server_span.version.key().to_owned(),
            duration_us: self.duration_us,
            cpu_us: self.cpu_us,
            memory_peak: self.memory_peak,
            memory_delta: self.memory_delta,
            query_count: self.query_count,
            query_us: self.query_us,
            slow_queries: self.slow_queries,
            cache_hits: self.cache_hits,
            cache_misses: self.cache_misses,
            cache_us: self.cache_us,
            call_count: self.call_count,
            is_cut,
            score: None,
            details: loam_platform::pack::pack(&[details], false, MAX_DETAILS),
            findings: None,
            created_at: self.at,
            received_at: Some(now),
            updated_at: now,
        })
    }
}
