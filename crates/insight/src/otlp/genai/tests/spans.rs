//! Which spans are calls, and what is kept of them.

use loam_gateway::llm_calls::CallState;

use super::{of, one};
use crate::otlp::genai::call::extract;
use crate::otlp::spans::span_contexts;
use crate::otlp::tests::{PROJECT, attribute, request, span};
use crate::otlp::wire::Status;

#[test]
fn failed_calls_have_an_error_and_calls_without_usage_are_estimated() {
    let mut failed = span(2, 1, 3, "chat", vec![attribute("gen_ai.operation.name", "chat")]);
    failed.status = Some(Status { code: 2, message: "rate limited".to_owned() });
    let call = of(vec![failed]).calls.remove(0).reported.call;
    assert_eq!(
        (call.state, call.status, call.error.as_deref()),
        (CallState::Failed, None, Some("Error: rate limited"))
    );
    let call = one(vec![attribute("gen_ai.operation.name", "embeddings")]).call;
    assert_eq!(
        (call.state, call.endpoint.as_str(), call.model.as_str()),
        (CallState::Estimated, "/embeddings", "unknown")
    );
}

#[test]
fn agents_and_chains_are_no_calls_and_inner_spans_take_precedence() {
    let llm = |id, parent| span(id, parent, 1, "llm", vec![attribute("openinference.span.kind", "LLM")]);
    let agent = span(1, 0, 1, "agent", vec![attribute("gen_ai.operation.name", "invoke_agent")]);
    let chain = span(5, 1, 1, "chain", vec![attribute("openinference.span.kind", "CHAIN")]);
    let found = of(vec![agent, chain, llm(2, 5), llm(3, 2), span(4, 3, 3, "POST", vec![])]);
    assert_eq!(found.calls.len(), 1);
    let reported = &found.calls[0].reported;
    assert_eq!(reported.call.span_id.as_deref(), Some("0000000000000003"));
    assert_eq!(reported.child_span_ids, ["0000000000000004"]);
}

#[test]
fn tool_calls_are_recognised_in_each_convention() {
    let spans = vec![
        span(
            2,
            1,
            1,
            "execute_tool add",
            vec![
                attribute("gen_ai.operation.name", "execute_tool"),
                attribute("gen_ai.tool.name", "add"),
                attribute("gen_ai.tool.call.id", "call_1"),
                attribute("gen_ai.tool.call.arguments", r#"{"a":1}"#),
                attribute("gen_ai.tool.call.result", "3"),
            ],
        ),
        span(
            3,
            1,
            1,
            "t",
            vec![attribute("openinference.span.kind", "TOOL"), attribute("tool.name", "look")],
        ),
        span(
            4,
            1,
            1,
            "t",
            vec![attribute("traceloop.span.kind", "tool"), attribute("traceloop.entity.name", "find")],
        ),
    ];
    let tools = of(spans).tools;
    let names: Vec<&str> = tools.iter().map(|tool| tool.tool.as_str()).collect();
    assert_eq!(names, ["add", "look", "find"]);
    assert_eq!(
        (tools[0].call_id.as_str(), tools[0].arguments.as_str(), tools[0].result.as_deref()),
        ("call_1", r#"{"a":1}"#, Some("3"))
    );
    assert_eq!(tools[1].call_id, "0000000000000003", "without an id of its own, the span's");
    assert!(tools.iter().all(|tool| tool.error.is_none() && tool.duration_ms == 1));
}

#[test]
fn bodies_can_be_excluded_and_duplicates_have_the_same_id() {
    let spans = || {
        request(
            "x",
            vec![span(
                2,
                1,
                3,
                "chat",
                vec![attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.prompt.0.content", "hi")],
            )],
        )
    };
    let [one, two] =
        [(); 2].map(|()| extract(span_contexts(&spans()), PROJECT, 0).calls.remove(0).reported.call);
    assert_eq!((one.id, one.request), (two.id, None));
}
