//! Converts OTLP spans to trace chunks.

mod chunks;
mod detail;
mod endpoint;
mod function;
mod measured;
mod server_span;
#[cfg(test)]
mod tests;

mod operation;

use std::sync::Arc;

use chrono::DateTime;
use loam_kernel::hex;

use super::attributes::Attributes;
use super::document::document;
use super::project_ref::ProjectRef;
use super::rejections::{MAX_STORED_REJECTED, Rejections};
use super::settings::OtlpSettings;
use super::wire::{Decoded, ExportTraceServiceRequest, Span, SpanKind, Value};
use crate::ingest::limits::{self, MAX_DURATION_NS, TimeError};
use crate::ingest::{RecordError, TimeLimits};
use crate::rejected_records::NewRejectedRecord;
use crate::trace::{self, STACKTRACE_ATTRIBUTE, Source, TraceChunk};

use chunks::ChunkBuilder;

/// Maximum length of a name, in bytes.
const MAX_NAME: usize = 256;

/// The result of converting a request.
pub(super) struct ConvertedSpans {
    pub(super) chunks: Vec<TraceChunk>,
    pub(super) rejections: Rejections,
    /// The first rejected spans, to be stored.
    pub(super) rejected: Vec<NewRejectedRecord>,
}

/// Why a span is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanError {
    code: &'static str,
    param: &'static str,
    pub(super) message: &'static str,
}

impl From<SpanError> for RecordError {
    fn from(error: SpanError) -> Self {
        Self::new(error.code, error.param, error.message)
    }
}

/// A span with its resource and instrumentation scope.
#[derive(Clone, Copy)]
pub(super) struct SpanWithResource<'a> {
    pub(super) span: &'a Span,
    pub(super) attributes: Attributes<'a>,
    /// Resource attributes: the service and its environment.
    pub(super) resource: Attributes<'a>,
    /// The name of the instrumentation scope.
    pub(super) scope: &'a str,
}

/// Converts spans to chunks: one per trace, or several of a large trace.
pub(super) fn convert(
    decoded: &Decoded<ExportTraceServiceRequest>,
    project_ref: ProjectRef,
    settings: &OtlpSettings,
    times: TimeLimits,
    keep_content: bool,
) -> ConvertedSpans {
    let mut rejections = Rejections::default();
    rejections.add_undecodable(&decoded.undecodable);
    let mut rejected = Vec::new();
    let mut reject = |context: &SpanWithResource<'_>, error: RecordError| {
        if rejected.len() < MAX_STORED_REJECTED {
            let document = document(context, keep_content);
            rejected.push(NewRejectedRecord { source: Source::Otlp, error, document });
        }
    };
    for (rest, error) in &decoded.undecodable.spans {
        span_contexts(rest).for_each(|context| reject(&context, error.clone()));
    }
    let mut builder = ChunkBuilder::new(project_ref);
    for context in span_contexts(&decoded.request) {
        match check(context.span, times) {
            Ok(()) => builder.add(&context, settings),
            Err(error) => {
                rejections.add(error.message);
                reject(&context, error.into());
            }
        }
    }
    ConvertedSpans { chunks: builder.finish(), rejections, rejected }
}

/// The spans of a request, each with its resource and scope.
pub(super) fn span_contexts(
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

/// Validates a span.
pub(super) fn check(span: &Span, times: TimeLimits) -> Result<(), SpanError> {
    let reject = |code, param, message| Err(SpanError { code, param, message });
    let is_id = |bytes: &[u8], length| bytes.len() == length && bytes.iter().any(|byte| *byte != 0);
    if !is_id(&span.trace_id, 16) || !is_id(&span.span_id, 8) {
        let param = if is_id(&span.trace_id, 16) { "span_id" } else { "trace_id" };
        return reject(
            "invalid_id",
            param,
            "the trace id or span id is invalid: 16 and 8 bytes are required, not all zero",
        );
    }
    let at = "start_time_unix_nano";
    let start = i64::try_from(span.start_time_unix_nano).ok().filter(|nanos| *nanos > 0);
    let Some(start) = start else { return reject("no_time", at, "the start time is missing") };
    if let Err(TimeError { code, message }) = times.check(DateTime::from_timestamp_nanos(start)) {
        return reject(code, at, message);
    }
    if span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) > MAX_DURATION_NS {
        return reject("too_long", "end_time_unix_nano", "it lasted more than 7 days");
    }
    Ok(())
}

impl SpanWithResource<'_> {
    /// Whether the span is the root of work that the application serves, rather than a step of it.
    fn is_server_span(&self) -> bool {
        let is_root = self.span.parent_span_id.iter().all(|byte| *byte == 0);
        match self.span.span_kind() {
            SpanKind::Server => true,
            SpanKind::Consumer => is_root || self.span.has_remote_parent(),
            SpanKind::Internal => is_root,
            SpanKind::Client | SpanKind::Producer => false,
        }
    }

    pub(super) fn parent(&self) -> Option<String> {
        let parent = &self.span.parent_span_id;
        (parent.len() == 8 && parent.iter().any(|byte| *byte != 0)).then(|| hex(parent))
    }

    pub(super) fn start_ns(&self) -> i64 {
        i64::try_from(self.span.start_time_unix_nano).unwrap_or(i64::MAX)
    }

    /// Nanoseconds until the first byte of the response, if reported.
    pub(super) fn first_byte(&self) -> Option<u64> {
        detail::first_byte(self)
    }

    pub(super) fn duration_ns(&self) -> u64 {
        self.span.end_time_unix_nano.saturating_sub(self.span.start_time_unix_nano)
    }

    /// The attributes of the last exception event.
    fn exception_event(&self) -> Option<Attributes<'_>> {
        let exception_event = self.span.events.iter().rev().find(|event| event.name == "exception");
        exception_event.map(|event| Attributes(&event.attributes))
    }

    /// The end of the stack trace of the last exception.
    fn stacktrace(&self) -> Option<String> {
        limits::stacktrace(self.exception_event()?.text(&[STACKTRACE_ATTRIBUTE])?)
    }

    /// The exception; of a failed span without one, its status message.
    pub(super) fn exception(&self) -> Option<String> {
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

    fn convert(&self, functions: &mut function::Functions, settings: &OtlpSettings) -> trace::Span {
        let kind = operation::operation_kind(self);
        let mut detail = detail::detail(self, kind, settings);
        if let Some(stack) = self.stacktrace() {
            detail.get_or_insert_default().attributes.insert(STACKTRACE_ATTRIBUTE.to_owned(), stack);
        }
        trace::Span {
            id: hex(&self.span.span_id),
            parent: self.parent(),
            function: functions.of(self),
            kind,
            start_ns: self.start_ns(),
            duration_ns: self.duration_ns(),
            cpu_ns: measured::cpu_ns(self),
            memory_delta: measured::memory_delta(self),
            exception: self.exception(),
            detail: detail.map(Arc::new),
        }
    }
}

/// Whether an attribute has a scalar value.
fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Int(_) | Value::Double(_) | Value::Bool(_))
}
