//! Validates spans.

use chrono::DateTime;

use crate::ingest::limits::{MAX_DURATION_NS, TimeError};
use crate::ingest::{RecordError, TimeLimits};
use crate::otlp::wire::Span;

/// Why a span is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::otlp) struct SpanError {
    code: &'static str,
    param: &'static str,
    pub(in crate::otlp) message: &'static str,
}

impl From<SpanError> for RecordError {
    fn from(error: SpanError) -> Self {
        Self::new(error.code, error.param, error.message)
    }
}

/// Validates a span.
pub(in crate::otlp) fn check(span: &Span, times: TimeLimits) -> Result<(), SpanError> {
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
