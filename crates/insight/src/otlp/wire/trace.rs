//! Messages of traces.

use serde::Deserialize;

use super::common::{InstrumentationScope, KeyValue, Resource};
use super::{absent, number};

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ExportTraceServiceRequest {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "resourceSpans", deserialize_with = "absent::list")]
    pub(in crate::otlp) resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(alias = "scopeSpans", deserialize_with = "absent::list")]
    pub(in crate::otlp) scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) scope: Option<InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) spans: Vec<Span>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Span {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(alias = "traceId", deserialize_with = "number::id")]
    pub(in crate::otlp) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(alias = "spanId", deserialize_with = "number::id")]
    pub(in crate::otlp) span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    #[serde(alias = "parentSpanId", deserialize_with = "number::id")]
    pub(in crate::otlp) parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    #[serde(deserialize_with = "absent::or_default")]
    pub(in crate::otlp) name: String,
    #[prost(int32, tag = "6")]
    #[serde(deserialize_with = "number::span_kind")]
    pub(in crate::otlp) kind: i32,
    #[prost(fixed64, tag = "7")]
    #[serde(alias = "startTimeUnixNano", deserialize_with = "number::time")]
    pub(in crate::otlp) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    #[serde(alias = "endTimeUnixNano", deserialize_with = "number::time")]
    pub(in crate::otlp) end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) events: Vec<Event>,
    #[prost(message, optional, tag = "15")]
    pub(in crate::otlp) status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) flags: u32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Event {
    #[prost(fixed64, tag = "1")]
    #[serde(alias = "timeUnixNano", deserialize_with = "number::time")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "absent::or_default")]
    pub(in crate::otlp) name: String,
    #[prost(message, repeated, tag = "3")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Status {
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "absent::or_default")]
    pub(in crate::otlp) message: String,
    #[prost(int32, tag = "3")]
    #[serde(deserialize_with = "number::status_code")]
    pub(in crate::otlp) code: i32,
}

/// The kind of a span: its role in a remote interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::otlp) enum SpanKind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Span {
    /// The kind; internal if unspecified.
    pub(in crate::otlp) fn span_kind(&self) -> SpanKind {
        match self.kind {
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Internal,
        }
    }

    /// Whether the status is an error.
    pub(in crate::otlp) fn failed(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.code == 2)
    }

    /// Whether the parent is known to be a span of another process.
    pub(in crate::otlp) fn has_remote_parent(&self) -> bool {
        // SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK and SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
        self.flags & 0x300 == 0x300
    }
}
