//! A span as a self-contained JSON document: the form in which rejected spans are stored, shown, corrected and
//! replayed.

use loam_kernel::{Result, hex};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::genai;
use super::spans::{SpanWithResource, check};
use super::wire::{
    AnyValue, Decoded, Event, ExportTraceServiceRequest, InstrumentationScope, KeyValue, Resource,
    ResourceSpans, ScopeSpans, Span, Status, bytes,
};
use crate::ingest::Ingest;
use crate::ingest::{IngestSource, RecordError};

/// A span with its resource and scope. Attributes are by name.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SpanDocument {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    parent_span_id: String,
    name: String,
    /// OTLP's span kind: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    kind: i32,
    start_time_unix_nano: u64,
    end_time_unix_nano: u64,
    attributes: Map<String, Json>,
    events: Vec<EventDocument>,
    /// OTLP's status code: 0 unset, 1 ok, 2 error.
    status_code: i32,
    status_message: String,
    flags: u32,
    /// Resource attributes.
    resource: Map<String, Json>,
    /// The name of the instrumentation scope.
    scope: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EventDocument {
    name: String,
    time_unix_nano: u64,
    attributes: Map<String, Json>,
}

/// A rejected span that is valid now.
pub(crate) struct ReplayableSpan(ExportTraceServiceRequest);

/// The document of a span, without the content of model and tool calls unless `keep_content`.
pub(super) fn document(context: &SpanWithResource<'_>, keep_content: bool) -> Option<Json> {
    let by_name = |all: &[KeyValue]| -> Map<String, Json> {
        let included = all.iter().filter(|attribute| keep_content || !genai::is_content(&attribute.key));
        included.map(|one| (one.key.clone(), one.value.as_ref().map_or(Json::Null, AnyValue::json))).collect()
    };
    let span = context.span;
    let status = span.status.clone().unwrap_or_default();
    let event = |event: &Event| EventDocument {
        name: event.name.clone(),
        time_unix_nano: event.time_unix_nano,
        attributes: by_name(&event.attributes),
    };
    let document = SpanDocument {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: hex(&span.parent_span_id),
        name: span.name.clone(),
        kind: span.kind,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        attributes: by_name(&span.attributes),
        events: span.events.iter().map(event).collect(),
        status_code: status.code,
        status_message: status.message,
        flags: span.flags,
        resource: by_name(context.resource.0),
        scope: context.scope.to_owned(),
    };
    serde_json::to_value(document).ok()
}

impl SpanDocument {
    fn request(self) -> Result<ExportTraceServiceRequest, RecordError> {
        let id = |name: &'static str, text: &str| {
            bytes(text).ok_or_else(|| RecordError::new("invalid_id", name, "must be hexadecimal digits"))
        };
        let span = Span {
            trace_id: id("trace_id", &self.trace_id)?,
            span_id: id("span_id", &self.span_id)?,
            parent_span_id: id("parent_span_id", &self.parent_span_id)?,
            name: self.name,
            kind: self.kind,
            start_time_unix_nano: self.start_time_unix_nano,
            end_time_unix_nano: self.end_time_unix_nano,
            attributes: attributes(self.attributes),
            events: self.events.into_iter().map(EventDocument::event).collect(),
            status: Some(Status { message: self.status_message, code: self.status_code }),
            flags: self.flags,
        };
        let resource = Some(Resource { attributes: attributes(self.resource) });
        let scope_spans =
            vec![ScopeSpans { scope: Some(InstrumentationScope { name: self.scope }), spans: vec![span] }];
        Ok(ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] })
    }
}

impl EventDocument {
    fn event(self) -> Event {
        let attributes = attributes(self.attributes);
        Event { time_unix_nano: self.time_unix_nano, name: self.name, attributes }
    }
}

fn attributes(all: Map<String, Json>) -> Vec<KeyValue> {
    all.into_iter().map(|(key, value)| KeyValue { key, value: AnyValue::of(value) }).collect()
}

impl Ingest {
    /// Validates a rejected span that may have been corrected.
    pub(crate) fn read_span(
        &self,
        ingest_source: &IngestSource,
        document: &Json,
    ) -> Result<ReplayableSpan, RecordError> {
        let read: SpanDocument = serde_path_to_error::deserialize(document)
            .map_err(|e| RecordError::unreadable(e.path(), &e.inner().to_string()))?;
        let request = read.request()?;
        let times = self.time_limits(ingest_source.tenant);
        for context in super::spans::span_contexts(&request) {
            check(context.span, times).map_err(RecordError::from)?;
        }
        Ok(ReplayableSpan(request))
    }

    /// Ingests it as if it were sent now.
    pub(crate) async fn replay_span(
        &self,
        ingest_source: &IngestSource,
        ReplayableSpan(request): ReplayableSpan,
    ) -> Result<()> {
        self.ingest_spans(Decoded { request, ..Decoded::default() }, ingest_source).await.map(drop)
    }
}
