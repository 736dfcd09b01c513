//! What is known of work that leaves the application.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::endpoint::METHOD;
use super::entry::status;
use super::work::{DATABASE, OPERATION, QUERY};
use super::{MAX_NAME, Told, is_plain};
use crate::otlp::attributes::{cut, kept, words};
use crate::otlp::genai;
use crate::otlp::settings::OtlpSettings;
use crate::redact;
use crate::trace::{Detail, Work};

/// Bytes of a statement that are looked at.
const MAX_STATEMENT: usize = 16 << 10;
/// Bytes of a name of an attribute.
const MAX_KEY: usize = 128;

/// How the names of attributes begin that are kept elsewhere, or say nothing of the application.
const KEPT_ELSEWHERE: [&str; 18] = [
    "http.",
    "url.",
    "net.",
    "network.",
    "server.",
    "client.",
    "user_agent.",
    "db.",
    "code.",
    "thread.",
    "exception.",
    "error.type",
    "gen_ai.",
    "llm.",
    "input.",
    "output.",
    "openinference.",
    "traceloop.",
];

pub(super) fn detail(told: &Told<'_>, work: Work, settings: &OtlpSettings) -> Option<Detail> {
    let attributes = told.attributes;
    let mut detail = match work {
        Work::Database => Detail {
            system: text(told, &DATABASE),
            operation: operation(told),
            statement: attributes.text(&QUERY).map(|query| redact::statement(cut(query, MAX_STATEMENT))),
            rows: attributes.whole(&["db.response.returned_rows"]),
            ..Detail::default()
        },
        Work::Cache => Detail {
            system: text(told, &DATABASE),
            operation: operation(told),
            statement: attributes
                .text(&["cache.key", "db.query.text", "db.statement"])
                .map(|key| redact::key(cut(key, MAX_STATEMENT))),
            hit: hit(told),
            ..Detail::default()
        },
        Work::ExternalApi => Detail {
            system: text(told, &["rpc.system", "rpc.system.name"])
                .or_else(|| attributes.get(&METHOD).map(|_| "http".to_owned())),
            operation: text(told, &[METHOD[0], METHOD[1], "rpc.method"]),
            statement: attributes
                .text(&["url.full", "http.url", "rpc.service"])
                .map(|url| redact::address(cut(url, MAX_STATEMENT))),
            ..Detail::default()
        },
        Work::Queue => Detail {
            system: text(told, &["messaging.system"]),
            operation: text(
                told,
                &["messaging.operation.name", "messaging.operation.type", "messaging.operation"],
            ),
            statement: text(told, &["messaging.destination.name", "messaging.destination"]),
            ..Detail::default()
        },
        Work::Model | Work::Tool => genai::detail(attributes),
        Work::Function | Work::Request => Detail::default(),
    };
    if work != Work::Function && work != Work::Request {
        detail.target = detail.target.or_else(|| target(told));
        detail.status_code = status(attributes);
        detail.first_byte_ns = first_byte(told);
    }
    detail.attributes = others(told, settings);
    (detail != Detail::default()).then_some(detail)
}

fn text(told: &Told<'_>, names: &[&str]) -> Option<String> {
    told.attributes.text(names).map(|text| kept(text, MAX_NAME))
}

/// What was done, by name or by the first word of the statement.
fn operation(told: &Told<'_>) -> Option<String> {
    text(told, &OPERATION).or_else(|| {
        let first = told.attributes.text(&QUERY)?.split_whitespace().next()?;
        Some(kept(&first.to_ascii_uppercase(), 32))
    })
}

/// Host and port, or the database.
fn target(told: &Told<'_>) -> Option<String> {
    let attributes = told.attributes;
    let host = attributes.text(&[
        "server.address",
        "net.peer.name",
        "net.peer.ip",
        "net.sock.peer.name",
        "http.host",
    ]);
    match (host, attributes.whole(&["server.port", "net.peer.port"])) {
        (Some(host), Some(port)) => Some(kept(&format!("{host}:{port}"), MAX_NAME)),
        (Some(host), None) => Some(kept(host, MAX_NAME)),
        (None, _) => text(told, &["db.namespace", "db.name"]),
    }
}

/// Whether a cache had it, as an attribute or an event says, or as nothing came.
fn hit(told: &Told<'_>) -> Option<bool> {
    let said = told.attributes.bool(&["cache.hit", "db.redis.hit"]);
    let event = || {
        told.span.events.iter().find_map(|event| match event.name.as_str() {
            "cache.hit" | "cache_hit" => Some(true),
            "cache.miss" | "cache_miss" => Some(false),
            _ => None,
        })
    };
    said.or_else(event).or_else(|| {
        let rows = told.attributes.whole(&["db.response.returned_rows"])?;
        operation(told)?.to_ascii_uppercase().contains("GET").then_some(rows > 0)
    })
}

/// When the answer began, where an event tells.
pub(super) fn first_byte(told: &Told<'_>) -> Option<u64> {
    let names = [
        "http.response.first_byte",
        "first_byte",
        "gen_ai.content.completion.chunk",
        "llm.content.completion.chunk",
        "First Token Stream Event",
    ];
    let first = told.span.events.iter().filter(|event| names.contains(&event.name.as_str()));
    let first = first.map(|event| event.time_unix_nano).min();
    first
        .and_then(|at| at.checked_sub(told.span.start_time_unix_nano))
        .or_else(|| genai::first_token_ns(told.attributes))
}

/// What else was told.
fn others(told: &Told<'_>, settings: &OtlpSettings) -> BTreeMap<String, String> {
    let all = told.span.attributes.iter().filter_map(|attribute| {
        let value = attribute.value.as_ref()?.value.as_ref()?;
        let name = attribute.key.as_str();
        let is_new = !KEPT_ELSEWHERE.iter().any(|prefix| name.starts_with(prefix));
        (is_new && is_plain(value))
            .then(|| (kept(name, MAX_KEY), kept(&words(value), settings.max_attribute_bytes).into()))
    });
    let mut others: Map<String, Value> = all.take(settings.max_attributes).collect();
    redact::params(&mut others);
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    others.into_iter().map(|(name, value)| (name, text(value))).collect()
}
