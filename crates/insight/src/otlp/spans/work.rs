//! What kind of work a span tells of.

use super::Told;
use crate::otlp::genai;
use crate::otlp::wire::Kind;
use crate::trace::Work;

/// Stores that are asked for what would take longer to make again.
const CACHES: [&str; 7] = ["redis", "memcached", "memcache", "valkey", "keydb", "dragonfly", "hazelcast"];

/// The names of the database, by the conventions of before and of now.
pub(super) const DATABASE: [&str; 2] = ["db.system.name", "db.system"];
/// What was asked of it.
pub(super) const QUERY: [&str; 2] = ["db.query.text", "db.statement"];
/// What it was asked to do.
pub(super) const OPERATION: [&str; 2] = ["db.operation.name", "db.operation"];

pub(super) fn work(told: &Told<'_>) -> Work {
    let attributes = told.attributes;
    match genai::kind(attributes) {
        Some(genai::Kind::Model) => return Work::Model,
        Some(genai::Kind::Tool) => return Work::Tool,
        None => {}
    }
    if told.is_entry() || told.span.part() == Kind::Server {
        return Work::Request;
    }
    if let Some(system) = attributes.text(&DATABASE) {
        // to connect is no query
        let asks = attributes.get(&QUERY).is_some() || attributes.get(&OPERATION).is_some();
        return match CACHES.contains(&system) {
            true => Work::Cache,
            false if asks || told.span.name != "connect" => Work::Database,
            false => Work::ExternalApi,
        };
    }
    if attributes.get(&["cache.hit", "cache.key"]).is_some() {
        return Work::Cache;
    }
    if attributes.get(&["messaging.system"]).is_some() {
        return Work::Queue;
    }
    match told.span.part() {
        Kind::Client => Work::ExternalApi,
        Kind::Producer | Kind::Consumer => Work::Queue,
        Kind::Internal | Kind::Server => Work::Function,
    }
}
