//! Spans of model calls and tool calls.

mod conventions;
mod ledger;
mod spans;

use loam_gateway::Usage;
use loam_gateway::llm_calls::ReportedCall;
use loam_platform::pack::unpack;
use serde_json::Value as Json;

use super::call::{GenAiCalls, extract};
use crate::otlp::spans::span_contexts;
use crate::otlp::tests::{PROJECT, request, span};
use crate::otlp::wire::{KeyValue, Span};

const MAX_BODY: usize = 1 << 20;

fn of(spans: Vec<Span>) -> GenAiCalls {
    extract(span_contexts(&request("x", spans)), PROJECT, MAX_BODY)
}

fn one(attributes: Vec<KeyValue>) -> ReportedCall {
    let mut found = of(vec![span(2, 1, 3, "chat", attributes)]);
    assert_eq!((found.calls.len(), found.tools.len()), (1, 0));
    found.calls.remove(0).reported
}

fn body(packed: Option<&Vec<u8>>) -> Json {
    let unpacked = unpack(packed.expect("a body")).expect("readable").expect("packed");
    serde_json::from_slice(&unpacked.body).expect("JSON")
}

const USAGE: Usage = Usage {
    prompt_tokens: 9,
    completion_tokens: 4,
    total_tokens: 13,
    cached_tokens: 0,
    cache_write_tokens: 0,
    reasoning_tokens: 0,
};
