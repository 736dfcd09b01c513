//! Model calls in the conventions of each instrumentation.

use loam_gateway::Usage;
use loam_gateway::llm_calls::CallState;
use serde_json::json;

use super::{USAGE, body, of, one};
use crate::otlp::tests::{attribute, span};
use crate::otlp::wire::Value;

#[test]
fn model_calls_are_recognised_in_current_conventions() {
    let reported = one(vec![
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.provider.name", "openai"),
        attribute("gen_ai.request.model", "gpt-4o"),
        attribute("gen_ai.response.model", "gpt-4o-2024-08-06"),
        attribute("gen_ai.usage.input_tokens", 9),
        attribute("gen_ai.usage.output_tokens", 4),
        attribute("gen_ai.conversation.id", "c1"),
        attribute("gen_ai.input.messages", r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#),
        attribute("gen_ai.output.messages", r#"[{"role":"assistant","parts":[]}]"#),
        attribute("gen_ai.request.temperature", Value::Double(0.5)),
    ]);
    let call = &reported.call;
    assert_eq!((call.provider.as_str(), call.model.as_str()), ("openai", "gpt-4o-2024-08-06"));
    assert_eq!((reported.requested_model.as_deref(), call.usage), (Some("gpt-4o"), Some(USAGE)));
    assert_eq!(
        (call.state, call.status, call.session.as_deref()),
        (CallState::Settled, Some(200), Some("c1"))
    );
    assert_eq!(call.span_id.as_deref(), Some("0000000000000002"));
    assert_eq!((call.latency_us, call.cost_nano_usd), (Some(1000), None));
    let request_body = body(call.request.as_ref());
    assert_eq!(request_body["messages"][0]["parts"][0]["content"], "hi");
    assert_eq!(
        (request_body["temperature"].as_f64(), request_body["model"].as_str()),
        (Some(0.5), Some("gpt-4o"))
    );
    assert_eq!(body(call.response.as_ref())["messages"][0]["role"], "assistant");
}

#[test]
fn model_calls_are_recognised_in_openinference() {
    let reported = one(vec![
        attribute("openinference.span.kind", "LLM"),
        attribute("llm.system", "openai"),
        attribute("llm.model_name", "gpt-4o-mini"),
        attribute("llm.token_count.prompt", 9),
        attribute("llm.token_count.completion", 4),
        attribute("llm.token_count.prompt_details.cache_read", 3),
        attribute("llm.cost.total", Value::Double(0.25)),
        attribute(
            "input.value",
            r#"{"messages":[{"role":"user","content":"my key is sk-0123456789abcdef"}]}"#,
        ),
        attribute("llm.output_messages.0.message.role", "assistant"),
        attribute("llm.output_messages.0.message.content", "hello"),
        attribute("llm.invocation_parameters", r#"{"max_tokens":5,"stream":true}"#),
    ]);
    let call = &reported.call;
    assert_eq!(
        (call.usage.map(|usage| usage.cached_tokens), call.cost_nano_usd),
        (Some(3), Some(250_000_000))
    );
    assert!(call.streamed);
    let request_body = body(call.request.as_ref());
    assert_eq!(
        (request_body["messages"][0]["content"].as_str(), request_body["max_tokens"].as_i64()),
        (Some("my key is [redacted]"), Some(5))
    );
    assert_eq!(
        body(call.response.as_ref())["choices"][0]["message"],
        json!({ "role": "assistant", "content": "hello" })
    );
}

#[test]
fn model_calls_are_recognised_in_openllmetry() {
    let reported = one(vec![
        attribute("llm.request.type", "chat"),
        attribute("gen_ai.system", "OpenAI"),
        attribute("gen_ai.request.model", "gpt-4o"),
        attribute("llm.usage.total_tokens", 13),
        attribute("gen_ai.usage.completion_tokens", 4),
        attribute("llm.is_streaming", Value::Bool(true)),
        attribute("gen_ai.prompt.0.role", "user"),
        attribute("gen_ai.prompt.0.content", "hi"),
        attribute("gen_ai.completion.0.content", "hello"),
    ]);
    let call = &reported.call;
    assert_eq!((call.provider.as_str(), call.usage, call.streamed), ("openai", Some(USAGE), true));
    assert_eq!(body(call.request.as_ref())["messages"], json!([{ "role": "user", "content": "hi" }]));
    assert_eq!(body(call.response.as_ref())["choices"][0]["message"]["content"], "hello");
}

#[test]
fn model_calls_are_recognised_from_langfuse() {
    let reported = one(vec![
        attribute("langfuse.observation.type", "generation"),
        attribute("langfuse.observation.model.name", "gpt-4o"),
        attribute("langfuse.observation.model.parameters", r#"{"temperature":0.5}"#),
        attribute("langfuse.observation.usage_details", r#"{"input":9,"output":4.0,"total":13}"#),
        attribute("langfuse.observation.cost_details", r#"{"total":0.25}"#),
        attribute("langfuse.observation.input", r#"[{"role":"user","content":"hi"}]"#),
        attribute("langfuse.observation.output", r#"{"role":"assistant","content":"hello"}"#),
        attribute("langfuse.observation.completion_start_time", "\"2026-09-21T14:13:20.000400Z\""),
        attribute("session.id", "s-1"),
        attribute("user.id", "bob"),
    ]);
    let call = &reported.call;
    assert_eq!(
        (call.model.as_str(), call.usage, call.cost_nano_usd),
        ("gpt-4o", Some(USAGE), Some(250_000_000))
    );
    assert_eq!((call.session.as_deref(), call.end_user.as_deref()), (Some("s-1"), Some("bob")));
    assert_eq!(call.first_token_us, Some(400));
    assert_eq!(body(call.request.as_ref())["messages"][0]["content"], "hi");
    assert_eq!(body(call.response.as_ref())["content"], "hello");
    let kinds = [("tool", (0, 1)), ("agent", (0, 0)), ("span", (0, 0)), ("embedding", (1, 0))];
    for (kind, counts) in kinds {
        let found = of(vec![span(2, 1, 1, "x", vec![attribute("langfuse.observation.type", kind)])]);
        assert_eq!((found.calls.len(), found.tools.len()), counts, "{kind}");
    }
}

#[test]
fn token_attributes_need_no_prefix() {
    let reported = one(vec![
        attribute("gen_ai.system", "anthropic"),
        attribute("gen_ai.request.model", "claude"),
        attribute("input_tokens", 9),
        attribute("output_tokens", "4.0"),
        attribute("cache_read_tokens", 3),
        attribute("gen_ai.usage.cache_write.input_tokens", 2),
        attribute("ttft_ms", 120),
    ]);
    let call = &reported.call;
    assert_eq!(call.usage, Some(Usage { cached_tokens: 3, cache_write_tokens: 2, ..USAGE }));
    assert_eq!(call.first_token_us, Some(120_000));
}

#[test]
fn a_bad_value_does_not_hide_a_good_one_under_another_name() {
    let reported = one(vec![
        attribute("llm.request.type", "chat"),
        attribute("gen_ai.usage.input_tokens", Value::Double(f64::NAN)),
        attribute("llm.usage.prompt_tokens", Value::Double(9.0)),
        attribute("gen_ai.usage.output_tokens", -1),
        attribute("gen_ai.usage.completion_tokens", 4),
        attribute("gen_ai.input.messages", ""),
        attribute("input.value", r#"[{"role":"user","content":"hi"}]"#),
        attribute("llm.invocation_parameters", r#"{"model":"qwen-max"}"#),
    ]);
    assert_eq!((reported.call.usage, reported.call.model.as_str()), (Some(USAGE), "qwen-max"));
    assert_eq!(body(reported.call.request.as_ref())["messages"][0]["content"], "hi");
}

#[test]
fn calls_of_the_responses_api_have_its_endpoint() {
    for (name, more) in [
        ("openai.responses.create", attribute("x", "y")),
        ("chat gpt-4o", attribute("gen_ai.response.id", "resp_1")),
        ("chat gpt-4o", attribute("openai.api.type", "responses")),
        ("chat gpt-4o", attribute("url.full", "https://api.openai.com/v1/responses?a=b")),
    ] {
        let found = of(vec![span(2, 1, 3, name, vec![attribute("gen_ai.operation.name", "chat"), more])]);
        assert_eq!(found.calls[0].reported.call.endpoint, "/responses", "{name}");
    }
    let chat = attribute("gen_ai.response.id", "chatcmpl-1");
    let found = of(vec![span(2, 1, 3, "chat", vec![attribute("gen_ai.operation.name", "chat"), chat])]);
    assert_eq!(found.calls[0].reported.call.endpoint, "/chat/completions");
}

#[test]
fn excluded_cached_tokens_are_added_to_input_tokens() {
    let reported = one(vec![
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.usage.input_tokens", 2),
        attribute("gen_ai.usage.cache_read.input_tokens", 30),
        attribute("gen_ai.usage.cache_creation.input_tokens", 8),
    ]);
    assert_eq!(
        reported.call.usage.map(|usage| (usage.prompt_tokens, usage.cache_write_tokens)),
        Some((40, 8))
    );
}
