//! A span with what it belongs to.

use loam_kernel::hex;

use crate::ingest::limits;
use crate::otlp::attributes::Attributes;
use crate::otlp::wire::{ExportTraceServiceRequest, Span, SpanKind, Value};
use crate::trace::STACKTRACE_ATTRIBUTE;

/// Maximum length of a name, in bytes.
pub(super) const MAX_NAME: usize = 256;

/// A span with its resource and instrumentation scope.
#[derive(Clone, Copy)]
pub(in crate::otlp) struct SpanWithResource<'a> {
    pub(in crate::otlp) span: &'a Span,
    pub(in crate::otlp) attributes: Attributes<'a>,
    /// Resource attributes: the service and its environment.
    pub(in crate::otlp) resource: Attributes<'a>,
    /// The name of the instrumentation scope.
    pub(in crate::otlp) scope: &'a str,
}

/// The spans of a request, each with its resource and scope.
pub(in crate::otlp) fn span_contexts(
    request: &ExportTraceServiceRequest,
) -> impl Iterator<Item = SpanWithResource<'_>> {
    request.resource_spans.iter().flat_map(|of| {
        let resource = Attributes(of.resource.as_ref().map_or(&[], |resource| &resource.attributes));
        of.scope_spans.iter().flat_map(move |scope| {
            let name = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
            scope.spans.iter().map(move |span| SpanWithResource {
                span,
                attributes: Attributes(&span.attributes),
                resource,
                scope: name,
            })
        })
    })
}

impl SpanWithResource<'_> {
    /// Whether the span is the root of work that the application serves, rather than a step of it.
    pub(super) fn is_server_span(&self) -> bool {
        let is_root = self.span.parent_span_id.iter().all(|byte| *byte == 0);
        match self.span.span_kind() {
            SpanKind::Server => true,
            SpanKind::Consumer => is_root || self.span.has_remote_parent(),
            SpanKind::Internal => is_root,
            SpanKind::Client | SpanKind::Producer => false,
        }
    }

    pub(in crate::otlp) fn parent(&self) -> Option<String> {
        let parent = &self.span.parent_span_id;
        (parent.len() == 8 && parent.iter().any(|byte| *byte != 0)).then(|| hex(parent))
    }

    pub(in crate::otlp) fn start_ns(&self) -> i64 {
        i64::try_from(self.span.start_time_unix_nano).unwrap_or(i64::MAX)
    }

    pub(in crate::otlp) fn duration_ns(&self) -> u64 {
        self.span.end_time_unix_nano.saturating_sub(self.span.start_time_unix_nano)
    }

    /// The attributes of the last exception event.
    fn exception_event(&self) -> Option<Attributes<'_>> {
        let exception_event = self.span.events.iter().rev().find(|event| event.name == "exception");
        exception_event.map(|event| Attributes(&event.attributes))
    }

    /// The end of the stack trace of the last exception.
    pub(super) fn stacktrace(&self) -> Option<String> {
        limits::stacktrace(self.exception_event()?.text(&[STACKTRACE_ATTRIBUTE])?)
    }

    /// The exception; of a failed span without one, its status message.
    pub(in crate::otlp) fn exception(&self) -> Option<String> {
        let text = match self.exception_event() {
            Some(event) => {
                let kind = event.text(&["exception.type"]).unwrap_or("Exception");
                match event.text(&["exception.message"]) {
                    Some(message) => format!("{kind}: {message}"),
                    None => kind.to_owned(),
                }
            }
            None if self.span.failed() => {
                let message = self.span.status.as_ref().map_or("", |status| &status.message);
                let kind = self.attributes.text(&["error.type"]).unwrap_or("Error");
                if message.is_empty() { kind.to_owned() } else { format!("{kind}: {message}") }
            }
            None => return None,
        };
        Some(limits::exception(&text))
    }
}

/// Whether an attribute has a scalar value.
pub(super) fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Int(_) | Value::Double(_) | Value::Bool(_))
}
