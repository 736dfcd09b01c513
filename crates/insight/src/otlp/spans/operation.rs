//! The kind of operation that a span represents.

use super::context::SpanWithResource;
use crate::otlp::genai;
use crate::otlp::wire::SpanKind;
use crate::trace::OperationKind;

/// Database systems that are used as caches.
const CACHES: [&str; 7] = ["redis", "memcached", "memcache", "valkey", "keydb", "dragonfly", "hazelcast"];

/// The database system, in the current and the former convention.
pub(super) const DATABASE: [&str; 2] = ["db.system.name", "db.system"];
/// The query text.
pub(super) const QUERY: [&str; 2] = ["db.query.text", "db.statement"];
/// The name of the operation.
pub(super) const OPERATION: [&str; 2] = ["db.operation.name", "db.operation"];

pub(super) fn operation_kind(context: &SpanWithResource<'_>) -> OperationKind {
    let attributes = context.attributes;
    match genai::kind(attributes) {
        Some(genai::Kind::Model) => return OperationKind::Model,
        Some(genai::Kind::Tool) => return OperationKind::Tool,
        None => {}
    }
    if context.is_server_span() || context.span.span_kind() == SpanKind::Server {
        return OperationKind::Request;
    }
    if let Some(system) = attributes.text(&DATABASE) {
        let has_query = attributes.get(&QUERY).is_some() || attributes.get(&OPERATION).is_some();
        return match CACHES.contains(&system) {
            true => OperationKind::Cache,
            false if has_query || context.span.name != "connect" => OperationKind::Database,
            // taking a connection from a pool is neither a query nor a request to another server
            false => OperationKind::Function,
        };
    }
    if attributes.get(&["cache.hit", "cache.key"]).is_some() {
        return OperationKind::Cache;
    }
    if attributes.get(&["messaging.system"]).is_some() {
        return OperationKind::Queue;
    }
    match context.span.span_kind() {
        SpanKind::Client => OperationKind::ExternalApi,
        SpanKind::Producer | SpanKind::Consumer => OperationKind::Queue,
        SpanKind::Internal | SpanKind::Server => OperationKind::Function,
    }
}
