//! Converts spans to model calls and tool calls.

use std::collections::HashMap;

use chrono::DateTime;
use loam_gateway::llm_calls::CallState;
use loam_gateway::llm_calls::{ImportedCall, ReportedCall, Source, SpanLinks};
use loam_gateway::tool_calls::ReportedToolCall;
use loam_kernel::{LlmCallId, ToolCallId, hex};
use loam_platform::pack::pack;
use serde_json::Value;

use super::endpoint::endpoint;
use super::usage::{cost, usage};
use super::{Kind, MAX_NAME, ProjectRef, kind, messages, names};
use crate::otlp::attributes::storable;
use crate::otlp::spans::SpanWithResource;
use crate::redact;
use crate::trace;

/// Maximum number of enclosing spans that are kept.
const MAX_ENCLOSING: usize = 16;

/// A model call, with the host that its price is looked up by.
pub(in crate::otlp) struct CallWithHost {
    pub(in crate::otlp) reported: ReportedCall,
    /// The host of the model API.
    pub(in crate::otlp) host: Option<String>,
}

/// The model calls and tool calls of a request.
#[derive(Default)]
pub(in crate::otlp) struct GenAiCalls {
    pub(in crate::otlp) calls: Vec<CallWithHost>,
    pub(in crate::otlp) tools: Vec<ReportedToolCall>,
}

/// A trace id and a span id.
type SpanKey<'a> = (&'a [u8], &'a [u8]);

/// Extracts the model calls and tool calls from spans. At most `max_body` bytes of each body are kept.
pub(in crate::otlp) fn extract<'a>(
    spans: impl Iterator<Item = SpanWithResource<'a>>,
    project_ref: ProjectRef,
    max_body: usize,
) -> GenAiCalls {
    let mut found = GenAiCalls::default();
    let mut calls: HashMap<SpanKey<'_>, (SpanWithResource<'a>, Vec<String>, bool)> = HashMap::new();
    let mut all: Vec<SpanWithResource<'a>> = Vec::new();
    for context in spans {
        match kind(context.attributes) {
            Some(Kind::Model) => {
                let key = (context.span.trace_id.as_slice(), context.span.span_id.as_slice());
                calls.insert(key, (context, Vec::new(), false));
            }
            Some(Kind::Tool) => found.tools.push(tool(&context, project_ref, max_body)),
            None => {}
        }
        all.push(context);
    }
    for context in &all {
        let inner = kind(context.attributes) == Some(Kind::Model);
        if let Some((_, spans, has_inner_call)) = calls.get_mut(&parent_key(context)) {
            spans.push(hex(&context.span.span_id));
            // if two libraries report the same call, the inner span is closer to it
            *has_inner_call |= inner;
        }
    }
    let innermost = calls.values().filter(|(_, _, has_inner_call)| !has_inner_call);
    let innermost = innermost.map(|(context, inner, _)| {
        let enclosing = enclosing(context, |key| calls.get(key).map(|(outer, ..)| outer));
        call(context, inner.clone(), enclosing, project_ref, max_body)
    });
    found.calls = innermost.collect();
    found.calls.sort_by_key(|call| call.reported.call.id);
    found
}

fn parent_key<'a>(context: &SpanWithResource<'a>) -> SpanKey<'a> {
    (context.span.trace_id.as_slice(), context.span.parent_span_id.as_slice())
}

/// The ids of the spans that are the same call if they report one: the parent, and as long as that reports the call
/// too, the parent of that.
fn enclosing<'c, 'a: 'c>(
    context: &'c SpanWithResource<'a>,
    outer_call: impl Fn(&SpanKey<'a>) -> Option<&'c SpanWithResource<'a>>,
) -> Vec<String> {
    let (mut ids, mut next) = (Vec::new(), Some(context));
    while let Some(context) = next
        && let Some(parent) = context.parent()
        && ids.len() < MAX_ENCLOSING
    {
        ids.push(parent);
        next = outer_call(&parent_key(context));
    }
    ids
}

fn id(context: &SpanWithResource<'_>, project_ref: ProjectRef, what: &[u8]) -> uuid::Uuid {
    let at = DateTime::from_timestamp_nanos(context.start_ns());
    trace::id(at, &[project_ref.project.0.as_bytes(), what, &context.span.trace_id, &context.span.span_id])
}

fn call(
    context: &SpanWithResource<'_>,
    inner: Vec<String>,
    enclosing: Vec<String>,
    project_ref: ProjectRef,
    max_body: usize,
) -> CallWithHost {
    let attributes = context.attributes;
    let text = |names: &[&str]| attributes.text(names).map(|text| storable(text, MAX_NAME));
    let provider =
        text(&names::PROVIDER).map_or_else(|| "unknown".to_owned(), |name| name.to_ascii_lowercase());
    let parameter = |name: &str| {
        let parameters = attributes.json(&names::PARAMETERS)?;
        Some(storable(parameters.get(name)?.as_str()?, MAX_NAME)).filter(|text| !text.is_empty())
    };
    let requested_model = text(&names::REQUEST_MODEL).or_else(|| parameter("model"));
    let model = text(&names::RESPONSE_MODEL)
        .or_else(|| requested_model.clone())
        .unwrap_or_else(|| "unknown".to_owned());
    let (usage, exception) = (usage(attributes), context.exception());
    let failed = context.span.failed();
    let state = match (failed, usage) {
        (true, _) => CallState::Failed,
        (false, Some(_)) => CallState::Settled,
        (false, None) => CallState::Estimated,
    };
    let status = attributes.unsigned(&["http.response.status_code", "http.status_code"]);
    let status = status.and_then(|status| u16::try_from(status).ok()).or((!failed).then_some(200));
    let body = |value: Option<Value>| {
        let mut value = value.filter(|_| max_body > 0)?;
        loam_platform::records::redact::json(&mut value);
        Some(pack(&[value.to_string()], false, max_body))
    };
    let request = messages::request(attributes);
    let streamed = request.as_ref().is_some_and(|request| request["stream"] == true);
    let micros = |nanos: u64| i64::try_from(nanos / 1000).ok();
    let call = ImportedCall {
        id: LlmCallId(id(context, project_ref, b"model")),
        at: DateTime::from_timestamp_nanos(context.start_ns()),
        state,
        endpoint: endpoint(context),
        provider,
        model,
        session: text(&names::CONVERSATION),
        user: None,
        end_user: text(&names::END_USER),
        project: Some(project_ref.project),
        streamed: attributes.bool(&names::STREAMED).unwrap_or(streamed),
        status,
        error: exception.filter(|_| failed),
        usage,
        cost_nano_usd: cost(attributes),
        latency_us: micros(context.duration_ns()),
        first_token_us: context.first_byte().and_then(micros),
        source: Source::Otlp,
        trace_id: Some(hex(&context.span.trace_id)),
        span_id: Some(hex(&context.span.span_id)),
        response_id: text(&names::RESPONSE_ID),
        links: Some(SpanLinks { scopes: vec![storable(context.scope, MAX_NAME)], span_ids: enclosing }),
        request: body(request),
        response: body(messages::response(attributes)),
    };
    let base = || text(&names::BASE)?.parse::<http::Uri>().ok()?.host().map(str::to_owned);
    let host = text(&["server.address", "net.peer.name"]).or_else(base);
    CallWithHost { reported: ReportedCall { call, requested_model, child_span_ids: inner }, host }
}

fn tool(context: &SpanWithResource<'_>, project_ref: ProjectRef, max_body: usize) -> ReportedToolCall {
    let attributes = context.attributes;
    let text = |names: &[&str]| {
        let text = attributes.to_text(names).filter(|_| max_body > 0)?;
        Some(storable(&redact::text(&text), max_body))
    };
    let error = context.exception().filter(|_| context.span.failed());
    ReportedToolCall {
        id: ToolCallId(id(context, project_ref, b"tool")),
        at: DateTime::from_timestamp_nanos(context.start_ns()),
        call_id: attributes
            .text(&names::TOOL_CALL)
            .map_or_else(|| hex(&context.span.span_id), |id| storable(id, MAX_NAME)),
        tool: attributes
            .text(&names::TOOL)
            .map_or_else(|| storable(&context.span.name, MAX_NAME), |name| storable(name, MAX_NAME)),
        arguments: text(&names::TOOL_ARGUMENTS).unwrap_or_default(),
        result: text(&names::TOOL_RESULT),
        error,
        duration_ms: i64::try_from(context.duration_ns() / 1_000_000).unwrap_or(i64::MAX),
        trace_id: hex(&context.span.trace_id),
        span_id: hex(&context.span.span_id),
    }
}
