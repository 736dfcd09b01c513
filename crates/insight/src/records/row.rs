//! From a request and its calls to its row.

use chrono::{DateTime, Utc};
use loam_kernel::{Error, Result};
use serde_json::json;

use crate::performance_records::entity::Model;
use crate::trace::{Entry, Part, Source, Tree, Work, record_id};

/// Nanoseconds from which a query is slow, unless the project says otherwise.
const SLOW_QUERY_NS: u64 = 100_000_000;
/// The most that is kept of what else was told.
const MAX_DETAILS: usize = 1 << 20;

/// The row of a request; none while the call that serves it is not there.
pub(super) fn row(part: &Part, entry: &Entry, tree: &Tree, now: DateTime<Utc>) -> Result<Option<Model>> {
    let Some(root) = tree.find(&entry.call_id) else { return Ok(None) };
    let call = &tree.calls()[root];
    let at = DateTime::from_timestamp_nanos(call.start_ns);
    let (mut queries, mut query_ns, mut slow, mut hits, mut misses, mut cache_ns) = (0, 0, 0, 0, 0, 0);
    let below = tree.below(root);
    let count = below.len();
    for call in &tree.calls()[below] {
        match call.work {
            Work::Database => {
                queries += 1;
                query_ns += call.duration_ns;
                slow += u64::from(call.duration_ns >= SLOW_QUERY_NS);
            }
            Work::Cache => {
                cache_ns += call.duration_ns;
                match call.detail.as_ref().and_then(|detail| detail.hit) {
                    Some(true) => hits += 1,
                    Some(false) => misses += 1,
                    None => {}
                }
            }
            _ => {}
        }
    }
    let measured = &entry.measured;
    let details = json!({
        "request_info": entry.request,
        "response_info": entry.response,
        "version_info": entry.version,
        "environment": entry.environment,
    });
    let details = serde_json::to_vec(&details).map_err(Error::internal)?;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let micros = |nanos: u64| whole(nanos / 1000);
    Ok(Some(Model {
        tenant_id: part.tenant,
        id: record_id(part.project, &part.trace_id, &entry.call_id, at),
        project_id: part.project,
        trace_id: part.trace_id.clone(),
        call_id: entry.call_id.clone(),
        source: source(part.source).to_owned(),
        service: entry.service.clone(),
        endpoint: entry.endpoint.clone(),
        method: entry.request.method.clone(),
        path: entry.request.path.clone(),
        status_code: entry.response.status_code.map(i32::from),
        is_error: entry.is_error,
        version: entry.version.key().to_owned(),
        duration_us: micros(call.duration_ns),
        cpu_us: measured.cpu_ns.or(call.cpu_ns).map(micros),
        memory_peak: measured.memory_peak,
        memory_delta: measured.memory_delta.or(call.memory_delta),
        query_count: whole(measured.query_count.unwrap_or(queries)),
        query_us: micros(measured.query_ns.unwrap_or(query_ns)),
        slow_queries: whole(measured.slow_queries.unwrap_or(slow)),
        cache_hits: whole(measured.cache_hits.unwrap_or(hits)),
        cache_misses: whole(measured.cache_misses.unwrap_or(misses)),
        cache_us: micros(measured.cache_ns.unwrap_or(cache_ns)),
        call_count: whole(count as u64),
        score: None,
        details: loam_platform::pack::pack(&[details], false, MAX_DETAILS),
        findings: None,
        created_at: at,
        updated_at: now,
    }))
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Records => "records",
        Source::Otlp => "otlp",
    }
}
