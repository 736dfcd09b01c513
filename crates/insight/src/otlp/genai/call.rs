//! From spans to calls of models and uses of tools.

use std::collections::HashMap;

use chrono::DateTime;
use loam_gateway::llm_calls::entity::CallState;
use loam_gateway::llm_calls::{ImportedCall, ReportedCall, Source};
use loam_gateway::tool_calls::ReportedToolCall;
use loam_kernel::{LlmCallId, ToolCallId};
use loam_platform::pack::pack;
use serde_json::Value;

use super::{Kind, MAX_NAME, Owner, Usage, kind, messages, names};
use crate::otlp::attributes::{Attributes, kept};
use crate::otlp::spans::{Told, hex};
use crate::redact;
use crate::trace;

/// Nano-dollars a dollar.
const NANO: f64 = 1e9;
/// More than any call costs, in dollars.
const MAX_COST: f64 = 1e6;

/// A call with what its price is looked up by.
pub(in crate::otlp) struct Priced {
    pub(in crate::otlp) told: ReportedCall,
    /// Where the model was reached.
    pub(in crate::otlp) host: Option<String>,
}

/// What spans tell of models and tools.
#[derive(Default)]
pub(in crate::otlp) struct Said {
    pub(in crate::otlp) calls: Vec<Priced>,
    pub(in crate::otlp) tools: Vec<ReportedToolCall>,
}

/// A trace and a span of it.
type SpanKey<'a> = (&'a [u8], &'a [u8]);

/// What spans tell of models and tools; `keep` is how many bytes are kept of a body.
pub(in crate::otlp) fn said<'a>(spans: impl Iterator<Item = Told<'a>>, owner: Owner, keep: usize) -> Said {
    let mut said = Said::default();
    let mut calls: HashMap<SpanKey<'_>, (Told<'a>, Vec<String>, bool)> = HashMap::new();
    let mut all: Vec<Told<'a>> = Vec::new();
    for told in spans {
        match kind(told.attributes) {
            Some(Kind::Model) => {
                let key = (told.span.trace_id.as_slice(), told.span.span_id.as_slice());
                calls.insert(key, (told, Vec::new(), false));
            }
            Some(Kind::Tool) => said.tools.push(tool(&told, owner, keep)),
            None => {}
        }
        all.push(told);
    }
    for told in &all {
        let inner = kind(told.attributes) == Some(Kind::Model);
        if let Some((_, spans, wraps)) =
            calls.get_mut(&(told.span.trace_id.as_slice(), told.span.parent_span_id.as_slice()))
        {
            spans.push(hex(&told.span.span_id));
            // where two libraries tell of one call, the inner one was there
            *wraps |= inner;
        }
    }
    let told = calls.into_values().filter(|(_, _, wraps)| !wraps);
    said.calls = told.map(|(told, inner, _)| call(&told, inner, owner, keep)).collect();
    said.calls.sort_by_key(|call| call.told.call.id);
    said
}

fn id(told: &Told<'_>, owner: Owner, what: &[u8]) -> uuid::Uuid {
    let at = DateTime::from_timestamp_nanos(told.start_ns());
    trace::id(at, &[owner.project.0.as_bytes(), what, &told.span.trace_id, &told.span.span_id])
}

fn call(told: &Told<'_>, inner: Vec<String>, owner: Owner, keep: usize) -> Priced {
    let attributes = told.attributes;
    let text = |names: &[&str]| attributes.text(names).map(|text| kept(text, MAX_NAME));
    let provider =
        text(&names::PROVIDER).map_or_else(|| "unknown".to_owned(), |name| name.to_ascii_lowercase());
    let requested_model = text(&names::ASKED);
    let model =
        text(&names::ANSWERED).or_else(|| requested_model.clone()).unwrap_or_else(|| "unknown".to_owned());
    let (usage, exception) = (usage(attributes), told.exception());
    let failed = told.span.failed();
    let state = match (failed, usage) {
        (true, _) => CallState::Failed,
        (false, Some(_)) => CallState::Settled,
        (false, None) => CallState::Estimated,
    };
    let status = attributes.whole(&["http.response.status_code", "http.status_code"]);
    let status = status.and_then(|status| u16::try_from(status).ok()).or((!failed).then_some(200));
    let body = |value: Option<Value>| {
        let mut value = value.filter(|_| keep > 0)?;
        loam_platform::records::redact::json(&mut value);
        Some(pack(&[value.to_string()], false, keep))
    };
    let asked = messages::request(attributes);
    let streamed = asked.as_ref().is_some_and(|asked| asked["stream"] == true);
    let micros = |nanos: u64| i64::try_from(nanos / 1000).ok();
    let call = ImportedCall {
        id: LlmCallId(id(told, owner, b"model")),
        at: DateTime::from_timestamp_nanos(told.start_ns()),
        state,
        endpoint: endpoint(attributes),
        provider,
        model,
        session: text(&names::CONVERSATION),
        user: None,
        end_user: text(&names::END_USER),
        project: Some(owner.project),
        streamed: attributes.bool(&names::STREAMED).unwrap_or(streamed),
        status,
        error: exception.filter(|_| failed),
        usage,
        cost_nano_usd: cost(attributes),
        latency_us: micros(told.duration_ns()),
        first_token_us: told.first_byte().and_then(micros),
        source: Source::Otlp,
        trace_id: Some(hex(&told.span.trace_id)),
        span_id: Some(hex(&told.span.span_id)),
        request: body(asked),
        response: body(messages::response(attributes)),
    };
    let base = || text(&names::BASE)?.parse::<http::Uri>().ok()?.host().map(str::to_owned);
    let host = text(&["server.address", "net.peer.name"]).or_else(base);
    Priced { told: ReportedCall { call, requested_model, child_span_ids: inner }, host }
}

fn endpoint(attributes: Attributes<'_>) -> String {
    match attributes.text(&names::OPERATION) {
        Some("embeddings" | "embedding" | "EMBEDDING") => "/embeddings".to_owned(),
        Some("text_completion" | "completion") => "/completions".to_owned(),
        _ => "/chat/completions".to_owned(),
    }
}

/// What it used; none where the span doesn't say.
fn usage(attributes: Attributes<'_>) -> Option<Usage> {
    let tokens = |names: &[&str]| attributes.whole(names);
    let (input, output) = (tokens(&names::INPUT_TOKENS), tokens(&names::OUTPUT_TOKENS));
    let total = tokens(&names::TOTAL_TOKENS);
    input.or(output).or(total)?;
    let cached_tokens = tokens(&names::CACHED_TOKENS).unwrap_or_default();
    let cache_write_tokens = tokens(&names::CACHE_WRITE_TOKENS).unwrap_or_default();
    let completion_tokens = output.unwrap_or_default();
    let read = input.unwrap_or_else(|| total.unwrap_or_default().saturating_sub(completion_tokens));
    // some count only what came from no cache
    let from_caches = cached_tokens.saturating_add(cache_write_tokens);
    let prompt_tokens = if from_caches > read { read.saturating_add(from_caches) } else { read };
    let total_tokens = prompt_tokens.saturating_add(completion_tokens);
    Some(Usage { prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens })
}

/// What the span says that it cost, in nano-dollars.
fn cost(attributes: Attributes<'_>) -> Option<i64> {
    let usd = attributes.double(&names::COST).filter(|usd| (0.0..=MAX_COST).contains(usd))?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
    Some((usd * NANO).round() as i64)
}

fn tool(told: &Told<'_>, owner: Owner, keep: usize) -> ReportedToolCall {
    let attributes = told.attributes;
    let text = |names: &[&str]| {
        let text = attributes.words(names).filter(|_| keep > 0)?;
        Some(kept(&redact::text(&text), keep))
    };
    let error = told.exception().filter(|_| told.span.failed());
    ReportedToolCall {
        id: ToolCallId(id(told, owner, b"tool")),
        at: DateTime::from_timestamp_nanos(told.start_ns()),
        call_id: attributes
            .text(&names::TOOL_CALL)
            .map_or_else(|| hex(&told.span.span_id), |id| kept(id, MAX_NAME)),
        tool: attributes
            .text(&names::TOOL)
            .map_or_else(|| kept(&told.span.name, MAX_NAME), |name| kept(name, MAX_NAME)),
        arguments: text(&names::TOOL_ARGUMENTS).unwrap_or_default(),
        result: text(&names::TOOL_RESULT),
        error,
        duration_ms: i64::try_from(told.duration_ns() / 1_000_000).unwrap_or(i64::MAX),
        trace_id: hex(&told.span.trace_id),
        span_id: hex(&told.span.span_id),
    }
}
