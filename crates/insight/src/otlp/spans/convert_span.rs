//! Converts a span.

use std::sync::Arc;

use loam_kernel::hex;

use super::context::SpanWithResource;
use super::detail::detail;
use super::function::Functions;
use super::measured::{cpu_ns, memory_delta};
use super::operation::operation_kind;
use crate::otlp::settings::OtlpSettings;
use crate::trace::{STACKTRACE_ATTRIBUTE, Span};

/// The span as it is stored.
pub(super) fn convert_span(
    context: &SpanWithResource<'_>,
    functions: &mut Functions,
    settings: &OtlpSettings,
) -> Span {
    let kind = operation_kind(context);
    let mut detail = detail(context, kind, settings);
    if let Some(stack) = context.stacktrace() {
        detail.get_or_insert_default().attributes.insert(STACKTRACE_ATTRIBUTE.to_owned(), stack);
    }
    Span {
        id: hex(&context.span.span_id),
        parent: context.parent(),
        function: functions.of(context),
        kind,
        start_ns: context.start_ns(),
        duration_ns: context.duration_ns(),
        cpu_ns: cpu_ns(context),
        memory_delta: memory_delta(context),
        exception: context.exception(),
        detail: detail.map(Arc::new),
    }
}
