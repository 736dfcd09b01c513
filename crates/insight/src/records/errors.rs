//! The exceptions of a trace, for the error log.

use std::collections::{HashMap, HashSet};

use chrono::DateTime;
use loam_kernel::{ErrorLogId, ProjectId, TenantId};
use loam_platform::error_logs::{ErrorSource, ReportedError};
use serde_json::json;

use crate::trace::{self, STACKTRACE_ATTRIBUTE, ServerSpan, Span, SpanSet};

/// Maximum number of errors per trace: an error raised in a loop repeats itself.
const MAX_ERRORS: usize = 50;

/// The exception of a failed span without an error message.
const UNKNOWN_ERROR: &str = "Error";

/// The errors of a trace. An exception that propagated through several spans is attributed to the span that raised it.
pub(crate) fn errors(
    (tenant, project): (TenantId, ProjectId),
    trace_id: &str,
    SpanSet { server_spans, spans }: &SpanSet,
) -> Vec<ReportedError> {
    let propagated: HashSet<(&str, &str)> =
        spans.iter().filter_map(|span| Some((span.parent.as_deref()?, span.exception.as_deref()?))).collect();
    let raised = spans
        .iter()
        .filter_map(|span| Some((span, span.exception.as_deref()?)))
        .filter(|(span, exception)| !propagated.contains(&(span.id.as_str(), exception)));
    let mut raised: Vec<(&Span, &str)> = raised.take(MAX_ERRORS).collect();
    // failed spans without a message add nothing if another one has a message
    if raised.iter().any(|(_, exception)| *exception != UNKNOWN_ERROR) {
        raised.retain(|(_, exception)| *exception != UNKNOWN_ERROR);
    }
    if raised.is_empty() {
        return Vec::new();
    }
    let by_id: HashMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    let server_spans_by_id: HashMap<&str, &ServerSpan> =
        server_spans.iter().map(|(_, server_span)| (server_span.call_id.as_str(), server_span)).collect();
    let error = |(span, exception): (&Span, &str)| {
        let at = DateTime::from_timestamp_nanos(span.start_ns);
        let (kind, message) = exception.split_once(": ").unwrap_or((exception, exception));
        let served = serving(span, &by_id, &server_spans_by_id);
        let record = served.and_then(|server_span| {
            let begin = DateTime::from_timestamp_nanos(by_id.get(server_span.call_id.as_str())?.start_ns);
            Some(trace::record_id(project, trace_id, &server_span.call_id, begin).0)
        });
        let parts = [project.0.as_bytes(), trace_id.as_bytes(), span.id.as_bytes(), b"error".as_slice()];
        ReportedError {
            tenant,
            id: ErrorLogId(trace::id(at, &parts)),
            project,
            source: ErrorSource::Span,
            trace_id: Some(trace_id.to_owned()),
            record_id: record,
            endpoint: served.map(|server_span| server_span.endpoint.clone()),
            kind: kind.to_owned(),
            message: message.to_owned(),
            stack: span
                .detail
                .as_ref()
                .and_then(|detail| detail.attributes.get(STACKTRACE_ATTRIBUTE))
                .cloned(),
            context: json!({
                "call_id": span.id, "function": span.function.key(), "file_path": span.function.file_path,
                "line_number": span.function.line_number,
                "version": served.map(|server_span| server_span.version.key()).filter(|version| !version.is_empty()),
            }),
            at,
        }
    };
    raised.into_iter().map(error).collect()
}

/// The server span that a span belongs to.
fn serving<'a>(
    span: &'a Span,
    by_id: &HashMap<&str, &'a Span>,
    server_spans_by_id: &HashMap<&str, &'a ServerSpan>,
) -> Option<&'a ServerSpan> {
    let (mut at, mut steps) = (span, 0);
    loop {
        if let Some(server_span) = server_spans_by_id.get(at.id.as_str()) {
            return Some(server_span);
        }
        // spans in a cycle have no root
        steps += 1;
        if steps > by_id.len() {
            return None;
        }
        at = by_id.get(at.parent.as_deref()?)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::OperationKind;
    use std::sync::Arc;
    use uuid::Uuid;

    fn span(id: &str, parent: Option<&str>, exception: Option<&str>) -> Span {
        Span {
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
            function: Arc::new(trace::Function { name: id.to_owned(), ..trace::Function::default() }),
            kind: OperationKind::Function,
            start_ns: 1_790_000_000_000_000_000,
            duration_ns: 1_000,
            cpu_ns: None,
            memory_delta: None,
            exception: exception.map(str::to_owned),
            detail: None,
        }
    }

    fn span_set(call_id: &str, spans: &[Span]) -> SpanSet {
        let server_span = ServerSpan {
            call_id: call_id.to_owned(),
            endpoint: "GET /pay".to_owned(),
            service: None,
            is_error: true,
            request: trace::RequestInfo::default(),
            response: trace::ResponseInfo::default(),
            measured: trace::Measurements::default(),
            version: trace::VersionInfo::default(),
            environment: trace::Environment::default(),
        };
        SpanSet { server_spans: vec![(trace::Source::Records, server_span)], spans: spans.to_vec() }
    }

    const PROJECT_KEY: (TenantId, ProjectId) = (TenantId(Uuid::from_u128(1)), ProjectId(Uuid::from_u128(2)));

    #[test]
    fn an_exception_is_attributed_to_the_span_that_raised_it() {
        let text = Some("ValueError: no such card: 12");
        let spans = [
            span("served", None, text),
            span("pay", Some("served"), text),
            span("charge", Some("pay"), text),
            span("log", Some("pay"), Some("KeyError: 'x'")),
            span("fine", Some("served"), None),
        ];
        let span_set = span_set("served", &spans);
        let found = errors(PROJECT_KEY, "t-1", &span_set);
        let summary: Vec<(&str, &str)> =
            found.iter().map(|one| (one.kind.as_str(), one.message.as_str())).collect();
        assert_eq!(summary, [("ValueError", "no such card: 12"), ("KeyError", "'x'")]);
        assert_eq!(found[0].context["call_id"], "charge");
        let at = DateTime::from_timestamp_nanos(spans[0].start_ns);
        let record = trace::record_id(PROJECT_KEY.1, "t-1", "served", at).0;
        assert!(found.iter().all(|one| one.record_id == Some(record)));
        assert_eq!(found[0].endpoint.as_deref(), Some("GET /pay"));
        assert_eq!(errors(PROJECT_KEY, "t-1", &span_set), found, "deterministic");
        assert_ne!(errors(PROJECT_KEY, "t-2", &span_set)[0].id, found[0].id);
    }

    #[test]
    fn errors_in_cycles_or_without_a_root_have_no_record() {
        let spans = [
            span("a", Some("b"), Some("Timeout")),
            span("b", Some("a"), None),
            span("lost", Some("elsewhere"), Some("E: x")),
        ];
        let found = errors(PROJECT_KEY, "t-1", &span_set("served", &spans));
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|one| one.record_id.is_none() && one.trace_id.as_deref() == Some("t-1")));
        assert_eq!((found[0].kind.as_str(), found[0].message.as_str()), ("Timeout", "Timeout"));
    }

    #[test]
    fn repeated_errors_are_limited() {
        let spans: Vec<Span> = (0..500).map(|n| span(&n.to_string(), None, Some("E: again"))).collect();
        assert_eq!(errors(PROJECT_KEY, "t", &span_set("served", &spans)).len(), MAX_ERRORS);
    }
}
