//! Converts OTLP spans to trace chunks.

mod chunks;
mod detail;
mod endpoint;
mod function;
mod server_span;
#[cfg(test)]
mod tests;

mod operation;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{hex, truncate_bytes};

use super::attributes::{Attributes, storable};
use super::document::document;
use super::project_ref::ProjectRef;
use super::rejections::Rejections;
use super::settings::OtlpSettings;
use super::wire::{Span, SpanKind, TracesRequest, Value};
use crate::ingest::RecordError;
use crate::redact;
use crate::rejected_records::NewRejectedRecord;
use crate::trace::{self, STACKTRACE_ATTRIBUTE, Source, TraceChunk};

use chunks::ChunkBuilder;

/// Maximum clock skew into the future.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::hours(1);
/// Maximum duration of a span: a span that never ended can have any end time.
const MAX_DURATION: TimeDelta = TimeDelta::days(7);
/// Maximum length of an exception, in bytes.
const MAX_EXCEPTION: usize = 2048;
/// Maximum length of a stack trace, in bytes. Its end is kept, where the exception was raised.
const MAX_STACKTRACE: usize = 4096;
/// Maximum length of a name, in bytes.
const MAX_NAME: usize = 256;

/// Maximum number of rejected spans stored per request: they mostly have the same error.
const MAX_STORED_REJECTED: usize = 20;

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
pub(super) struct SpanContext<'a> {
    pub(super) span: &'a Span,
    pub(super) attributes: Attributes<'a>,
    /// Resource attributes: the service and its environment.
    pub(super) resource: Attributes<'a>,
    /// The name of the instrumentation scope.
    pub(super) scope: &'a str,
}

/// Converts spans to chunks: one per trace, or several of a large trace.
pub(super) fn convert(
    request: &TracesRequest,
    project_ref: ProjectRef,
    settings: &OtlpSettings,
    now: DateTime<Utc>,
    keep_content: bool,
) -> ConvertedSpans {
    let (mut rejections, mut rejected) = (Rejections::default(), Vec::new());
    let mut builder = ChunkBuilder::new(project_ref);
    for context in span_contexts(request) {
        match check(context.span, settings, now) {
            Ok(()) => builder.add(&context, settings),
            Err(error) => {
                rejections.add(error.message);
                if rejected.len() < MAX_STORED_REJECTED {
                    let document = document(&context, keep_content);
                    rejected.push(NewRejectedRecord { source: Source::Otlp, error: error.into(), document });
                }
            }
        }
    }
    ConvertedSpans { chunks: builder.finish(), rejections, rejected }
}

/// The spans of a request, each with its resource and scope.
pub(super) fn span_contexts(request: &TracesRequest) -> impl Iterator<Item = SpanContext<'_>> {
    request.resource_spans.iter().flat_map(|of| {
        let resource = Attributes(of.resource.as_ref().map_or(&[], |resource| &resource.attributes));
        of.scope_spans.iter().flat_map(move |scope| {
            let name = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
            scope.spans.iter().map(move |span| SpanContext {
                span,
                attributes: Attributes(&span.attributes),
                resource,
                scope: name,
            })
        })
    })
}

/// Validates a span.
pub(super) fn check(span: &Span, settings: &OtlpSettings, now: DateTime<Utc>) -> Result<(), SpanError> {
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
    let start = DateTime::from_timestamp_nanos(start);
    if start < now - TimeDelta::days(settings.max_age_days.into()) {
        return reject("too_old", at, "it started too long ago: see `max_age_days` of `insight.otlp`");
    }
    if start > now + MAX_CLOCK_SKEW {
        return reject("in_the_future", at, "it started in the future: check the clock of the application");
    }
    let max_duration = u64::try_from(MAX_DURATION.num_nanoseconds().unwrap_or(i64::MAX)).unwrap_or(u64::MAX);
    if span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) > max_duration {
        return reject("too_long", "end_time_unix_nano", "it lasted more than 7 days");
    }
    Ok(())
}

impl SpanContext<'_> {
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
        let stack = self.exception_event()?.text(&[STACKTRACE_ATTRIBUTE])?;
        let end = match stack.len().checked_sub(MAX_STACKTRACE) {
            // whole lines, since part of a secret would not be recognised
            Some(from) if from > 0 => stack[stack.ceil_char_boundary(from)..].split_once('\n')?.1,
            _ => stack,
        };
        Some(storable(&redact::text(end), MAX_STACKTRACE))
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
        Some(storable(&redact::text(truncate_bytes(&text, 2 * MAX_EXCEPTION)), MAX_EXCEPTION))
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
            cpu_ns: None,
            memory_delta: None,
            exception: self.exception(),
            detail: detail.map(Arc::new),
        }
    }
}

/// Whether an attribute has a scalar value.
fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Int(_) | Value::Double(_) | Value::Bool(_))
}
