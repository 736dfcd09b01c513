//! A span as a document of its own: how one that was refused is kept, read, mended and replayed.

use loam_kernel::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::genai;
use super::spans::{Told, check, hex};
use super::wire::{
    AnyValue, Event, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, TracesRequest, bytes,
};
use crate::ingest::{Fault, Sender};
use crate::service::Insight;

/// A span with what was told of it as a whole. Attributes are by name.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SpanDocument {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    parent_span_id: String,
    name: String,
    /// As OTLP numbers it: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    kind: i32,
    start_time_unix_nano: u64,
    end_time_unix_nano: u64,
    attributes: Map<String, Json>,
    events: Vec<EventDocument>,
    /// 0 not told, 1 well, 2 failed.
    status_code: i32,
    status_message: String,
    flags: u32,
    /// Of the service and where it runs.
    resource: Map<String, Json>,
    /// The library that tells.
    scope: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EventDocument {
    name: String,
    time_unix_nano: u64,
    attributes: Map<String, Json>,
}

/// A span that was refused, as it can be taken.
pub(crate) struct MendedSpan(TracesRequest);

/// A span as a document; without what was said in a model call, where that is not kept.
pub(super) fn document(told: &Told<'_>, keeps_said: bool) -> Option<Json> {
    let by_name = |all: &[KeyValue]| -> Map<String, Json> {
        let kept = all.iter().filter(|attribute| keeps_said || !genai::is_said(&attribute.key));
        kept.map(|one| (one.key.clone(), one.value.as_ref().map_or(Json::Null, AnyValue::json))).collect()
    };
    let span = told.span;
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
        resource: by_name(told.resource.0),
        scope: told.scope.to_owned(),
    };
    serde_json::to_value(document).ok()
}

impl SpanDocument {
    fn request(self) -> Result<TracesRequest, Fault> {
        let id = |name: &'static str, text: &str| {
            bytes(text).ok_or_else(|| Fault::new("invalid_id", name, "must be hexadecimal digits"))
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
        let scope_spans = vec![ScopeSpans { scope: Some(Scope { name: self.scope }), spans: vec![span] }];
        Ok(TracesRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] })
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

impl Insight {
    /// Reads a span that was refused, and maybe mended since.
    pub(crate) fn read_span(&self, sender: &Sender, document: &Json) -> Result<MendedSpan, Fault> {
        let read: SpanDocument = serde_path_to_error::deserialize(document)
            .map_err(|e| Fault::unreadable(e.path(), &e.inner().to_string()))?;
        let request = read.request()?;
        let settings = self.0.otlp.of(sender.tenant);
        for told in super::spans::told(&request) {
            check(told.span, &settings, self.0.clock.now()).map_err(Fault::from)?;
        }
        Ok(MendedSpan(request))
    }

    /// Takes it, as if it were sent now.
    pub(crate) async fn take_span(&self, sender: &Sender, MendedSpan(request): MendedSpan) -> Result<()> {
        self.take_spans(request, sender).await.map(drop)
    }
}
