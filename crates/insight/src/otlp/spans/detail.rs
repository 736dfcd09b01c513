//! Details of operations outside of the application's code.

use std::collections::BTreeMap;

use loam_kernel::truncate_bytes;
use serde_json::{Map, Value};

use super::context::{MAX_NAME, SpanWithResource, is_scalar};
use super::endpoint::METHOD;
use super::measured;
use super::operation::{DATABASE, OPERATION, QUERY};
use super::server_span::status;
use crate::otlp::attributes::{storable, value_text};
use crate::otlp::genai;
use crate::otlp::settings::OtlpSettings;
use crate::redact;
use crate::trace::{Detail, OperationKind};

/// Maximum number of bytes of a statement that are parsed.
const MAX_STATEMENT: usize = 16 << 10;
/// Maximum length of an attribute name, in bytes.
const MAX_KEY: usize = 128;

/// Prefixes of attributes that are stored elsewhere, or are not about the application.
const IGNORED_PREFIXES: [&str; 19] = [
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
    "langfuse.observation.",
];

pub(super) fn detail(
    context: &SpanWithResource<'_>,
    kind: OperationKind,
    settings: &OtlpSettings,
) -> Option<Detail> {
    let attributes = context.attributes;
    let mut detail = match kind {
        OperationKind::Database => Detail {
            system: text(context, &DATABASE),
            operation: operation(context),
            statement: attributes
                .text(&QUERY)
                .map(|query| redact::statement(truncate_bytes(query, MAX_STATEMENT))),
            rows: attributes.unsigned(&["db.response.returned_rows"]),
            ..Detail::default()
        },
        OperationKind::Cache => Detail {
            system: text(context, &DATABASE),
            operation: operation(context),
            statement: attributes
                .text(&["cache.key", "db.query.text", "db.statement"])
                .map(|key| redact::key(truncate_bytes(key, MAX_STATEMENT))),
            hit: hit(context),
            ..Detail::default()
        },
        OperationKind::ExternalApi => Detail {
            system: text(context, &["rpc.system", "rpc.system.name"])
                .or_else(|| attributes.get(&METHOD).map(|_| "http".to_owned())),
            operation: text(context, &[METHOD[0], METHOD[1], "rpc.method"]),
            statement: attributes
                .text(&["url.full", "http.url", "rpc.service"])
                .map(|url| redact::address(truncate_bytes(url, MAX_STATEMENT))),
            ..Detail::default()
        },
        OperationKind::Queue => Detail {
            system: text(context, &["messaging.system"]),
            operation: text(
                context,
                &["messaging.operation.name", "messaging.operation.type", "messaging.operation"],
            ),
            statement: text(context, &["messaging.destination.name", "messaging.destination"]),
            ..Detail::default()
        },
        OperationKind::Model | OperationKind::Tool => genai::detail(attributes),
        OperationKind::Function | OperationKind::Request => Detail::default(),
    };
    if kind != OperationKind::Function && kind != OperationKind::Request {
        detail.target = detail.target.or_else(|| target(context));
        detail.status_code = status(attributes);
        detail.first_byte_ns = context.first_byte();
    }
    detail.attributes = other_attributes(context, settings);
    (detail != Detail::default()).then_some(detail)
}

fn text(context: &SpanWithResource<'_>, names: &[&str]) -> Option<String> {
    context.attributes.text(names).map(|text| storable(text, MAX_NAME))
}

/// The operation: its attribute, otherwise the first word of the statement.
fn operation(context: &SpanWithResource<'_>) -> Option<String> {
    text(context, &OPERATION).or_else(|| {
        let first = context.attributes.text(&QUERY)?.split_whitespace().next()?;
        Some(storable(&first.to_ascii_uppercase(), 32))
    })
}

/// Host and port, otherwise the database name.
fn target(context: &SpanWithResource<'_>) -> Option<String> {
    let attributes = context.attributes;
    let host = attributes.text(&[
        "server.address",
        "net.peer.name",
        "net.peer.ip",
        "net.sock.peer.name",
        "http.host",
    ]);
    match (host, attributes.unsigned(&["server.port", "net.peer.port"])) {
        (Some(host), Some(port)) => Some(storable(&format!("{host}:{port}"), MAX_NAME)),
        (Some(host), None) => Some(storable(host, MAX_NAME)),
        (None, _) => text(context, &["db.namespace", "db.name"]),
    }
}

/// Whether a cache lookup was a hit: by attribute, by event, or by the number of returned rows.
fn hit(context: &SpanWithResource<'_>) -> Option<bool> {
    let message = context.attributes.bool(&["cache.hit", "db.redis.hit"]);
    let event = || {
        context.span.events.iter().find_map(|event| match event.name.as_str() {
            "cache.hit" | "cache_hit" => Some(true),
            "cache.miss" | "cache_miss" => Some(false),
            _ => None,
        })
    };
    message.or_else(event).or_else(|| {
        let rows = context.attributes.unsigned(&["db.response.returned_rows"])?;
        operation(context)?.to_ascii_uppercase().contains("GET").then_some(rows > 0)
    })
}

impl SpanWithResource<'_> {
    /// Nanoseconds until the first byte of the response, if reported by an event or an attribute.
    pub(in crate::otlp) fn first_byte(&self) -> Option<u64> {
        let names = [
            "http.response.first_byte",
            "first_byte",
            "gen_ai.content.completion.chunk",
            "llm.content.completion.chunk",
            "First Token Stream Event",
        ];
        let first = self.span.events.iter().filter(|event| names.contains(&event.name.as_str()));
        let first = first.map(|event| event.time_unix_nano).min();
        first
            .or_else(|| genai::first_token_at(self.attributes))
            .and_then(|at| at.checked_sub(self.span.start_time_unix_nano))
            .or_else(|| genai::first_token_ns(self.attributes))
    }
}

/// All other attributes.
fn other_attributes(context: &SpanWithResource<'_>, settings: &OtlpSettings) -> BTreeMap<String, String> {
    let all = context.span.attributes.iter().filter_map(|attribute| {
        let value = attribute.value.as_ref()?.value.as_ref()?;
        let name = attribute.key.as_str();
        let is_new = !measured::is_measurement(name)
            && !IGNORED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        (is_new && is_scalar(value)).then(|| {
            (storable(name, MAX_KEY), storable(&value_text(value), settings.max_attribute_bytes).into())
        })
    });
    let mut other_attributes: Map<String, Value> = all.take(settings.max_attributes).collect();
    redact::attributes(&mut other_attributes);
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    other_attributes.into_iter().map(|(name, value)| (name, text(value))).collect()
}
