//! The Responses API for providers that lack it, beyond the common cases of the conformance suite.

use bytes::Bytes;
use loam_kernel::{Error, Kind, LlmCallId, Result};
use loam_providers::openai::RequestEnvelope;
use loam_providers::{Config, Endpoint, KINDS, Outgoing, ProviderRequest, Reader, kind};
use serde_json::{Value, json};

/// A client's request, and the provider that it is sent to.
struct Exchange {
    body: Bytes,
    envelope: RequestEnvelope,
    config: Config,
    kind: &'static str,
}

impl Exchange {
    fn new(kind: &'static str, fields: Value) -> Self {
        let mut body = json!({"model": "p/m", "input": "Hello"});
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let body = Bytes::from(body.to_string());
        let envelope = RequestEnvelope::read(&body).expect("valid");
        // nothing is known of a model with this name
        let config = json!({"base_url": "https://example.org", "responses": "translated", "reasoning_effort": "always"});
        Self { body, envelope, config: serde_json::from_value(config).expect("a configuration"), kind }
    }

    fn request(&self) -> ProviderRequest<'_> {
        ProviderRequest {
            endpoint: Endpoint::Responses,
            envelope: &self.envelope,
            body: &self.body,
            model: "m",
            betas: &[],
            call: LlmCallId::NIL,
            previous_response: None,
        }
    }

    fn outgoing(&self) -> Result<Outgoing> {
        kind(self.kind).expect("a kind").wire.outgoing(&self.config, &self.request())
    }

    /// What the provider receives.
    fn sent(&self) -> Value {
        serde_json::from_slice(&self.outgoing().expect("a request").body).expect("JSON")
    }

    fn reader(&self) -> Box<dyn Reader> {
        kind(self.kind).expect("a kind").wire.reader(&self.config, &self.request())
    }
}

fn events(stream: &[u8]) -> Vec<Value> {
    let stream = std::str::from_utf8(stream).expect("UTF-8");
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

/// A chunk of a chat completion.
fn chunk(delta: Value, finish: Option<&str>) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
}

#[test]
fn the_effort_is_sent_in_each_kinds_field() {
    let sent = |kind, effort: &str| {
        Exchange::new(kind, json!({"reasoning": {"effort": effort, "summary": "auto"}})).sent()
    };
    assert_eq!(sent("openai", "high")["reasoning_effort"], "high");
    assert_eq!(sent("openai", "none")["reasoning_effort"], "none");
    assert_eq!(sent("ollama", "none")["reasoning_effort"], "none");
    assert_eq!(sent("qwen", "low")["enable_thinking"], true);
    assert_eq!(sent("qwen", "none")["enable_thinking"], false);
    let deepseek = sent("deepseek", "high");
    assert_eq!(
        (&deepseek["thinking"]["type"], &deepseek["reasoning_effort"]),
        (&json!("enabled"), &json!("high"))
    );
    let off = sent("deepseek", "none");
    assert_eq!((&off["thinking"]["type"], off.get("reasoning_effort")), (&json!("disabled"), None));
    let anthropic = sent("anthropic", "medium");
    assert_eq!(
        (&anthropic["output_config"]["effort"], &anthropic["thinking"]["type"]),
        (&json!("medium"), &json!("adaptive"))
    );
}

#[test]
fn reasoning_is_sent_back_only_to_a_kind_that_requires_it() {
    let input = json!([
        {"role": "user", "content": "Weather?"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAA"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "rain"},
    ]);
    let message = |kind| Exchange::new(kind, json!({"input": input})).sent()["messages"][1].clone();
    assert_eq!(message("deepseek")["reasoning_content"], "hm");
    assert_eq!(message("openai").get("reasoning_content"), None);
    assert_eq!(message("anthropic")["content"][0]["type"], "tool_use");
}

#[test]
fn openai_gets_its_own_names_and_no_metadata() {
    let mut exchange = Exchange::new(
        "openai",
        json!({"max_output_tokens": 9, "metadata": {"a": "b"}, "store": false,
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "text": {"verbosity": "low"}}),
    );
    exchange.config.base_url = "https://api.openai.com/v1".to_owned();
    let expected =
        json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 9});
    assert_eq!(exchange.sent(), expected);
    exchange.config.base_url = "https://example.org".to_owned();
    assert_eq!(exchange.sent()["max_tokens"], 9);
}

#[test]
fn what_only_a_service_with_stored_responses_has_is_refused() {
    for name in KINDS.iter().map(|kind| kind.name) {
        for (fields, code, param) in [
            (
                json!({"previous_response_id": "resp_67cc"}),
                "previous_response_not_found",
                "previous_response_id",
            ),
            (json!({"conversation": "conv_1"}), "unsupported_feature", "conversation"),
            (json!({"prompt": {"id": "pmpt_1"}}), "unsupported_feature", "prompt"),
            (json!({"background": true}), "unsupported_feature", "background"),
            (json!({"top_logprobs": 2}), "unsupported_feature", "top_logprobs"),
            (json!({"tools": [{"type": "mcp", "server_label": "x"}]}), "unsupported_feature", "tools.0.type"),
            (json!({"tool_choice": {"type": "file_search"}}), "unsupported_feature", "tool_choice"),
            (json!({"text": {"format": {"type": "xml"}}}), "invalid_value", "text.format.type"),
            (json!({"input": 7}), "invalid_value", "input"),
            (json!({"input": null}), "invalid_value", "input"),
        ] {
            let error = Exchange::new(name, fields.clone()).outgoing().expect_err("refused");
            assert_eq!(
                (error.code(), error.param(), error.status()),
                (code, Some(param), 400),
                "{name}: {fields}"
            );
        }
    }
    let error = Exchange::new(
        "anthropic",
        json!({"input": [{"role": "user", "content": [
        {"type": "input_image", "image_url": "ftp://x"}]}]}),
    );
    assert_eq!(error.outgoing().expect_err("refused").param(), Some("input"));
    let error = Exchange::new(
        "deepseek",
        json!({"text": {"format": {"type": "json_schema", "name": "a", "schema": {}}}}),
    );
    assert_eq!(error.outgoing().expect_err("refused").param(), Some("text.format"));
}

#[test]
fn only_allowed_tools_are_offered() {
    let function = |name: &str| json!({"type": "function", "name": name, "parameters": {}, "strict": null});
    let allowed =
        json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]});
    let tools = json!([function("a"), function("b"), {"type": "web_search"}]);
    let sent = Exchange::new("openai", json!({"tools": tools, "tool_choice": allowed})).sent();
    assert_eq!(sent["tool_choice"], "required");
    let names: Vec<_> =
        sent["tools"].as_array().expect("a list").iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(names, ["b"]);
    // without a tool that can be offered there is nothing to choose
    let none =
        Exchange::new("openai", json!({"tools": [{"type": "web_search"}], "tool_choice": "auto"})).sent();
    assert_eq!((none.get("tools"), none.get("tool_choice")), (None, None));
}

#[test]
fn a_custom_tool_is_called_with_text() {
    let patch = "*** Begin Patch\n\"x\"";
    let tools = json!([{"type": "custom", "name": "apply_patch"}, {"type": "web_search"},
        {"type": "namespace", "name": "mcp__git", "tools": [{"type": "function", "name": "log"}]}]);
    let exchange = Exchange::new("openai", json!({"stream": true, "tools": tools}));
    let names = exchange.sent()["tools"].as_array().expect("a list").clone();
    assert_eq!(names.len(), 2, "a search by the provider is left out");
    let arguments = json!({"input": patch}).to_string();
    let (first, rest) = arguments.split_at(9);
    let call = |index: u64, id: &str, name: &str, arguments: &str| json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]});
    let more = json!({"tool_calls": [{"index": 0, "function": {"arguments": rest}}]});
    let stream = chunk(call(0, "c0", "apply_patch", first), None)
        + &chunk(call(1, "c1", "mcp__git__log", ""), None)
        + &chunk(more, Some("tool_calls"))
        + "data: [DONE]\n\n";
    let mut reader = exchange.reader();
    let forward = reader.push(stream.into());
    let now = events(&forward.now);
    let of =
        |name: &str| now.iter().find(|event| event["type"] == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(of("response.custom_tool_call_input.delta")["delta"], patch);
    assert_eq!(of("response.custom_tool_call_input.done")["input"], patch);
    let last = events(&forward.last.expect("an end"));
    let response = &last[0]["response"];
    let output = response["output"].as_array().expect("items");
    assert_eq!(
        (&output[0]["type"], &output[0]["input"], &output[0]["call_id"], &output[0]["name"]),
        (&json!("custom_tool_call"), &json!(patch), &json!("c0"), &json!("apply_patch"))
    );
    assert_eq!(
        (&output[1]["type"], &output[1]["arguments"], &output[1]["name"], &output[1]["namespace"]),
        (&json!("function_call"), &json!("{}"), &json!("log"), &json!("mcp__git"))
    );
    let shown: Vec<_> =
        response["tools"].as_array().expect("a list").iter().map(|tool| &tool["type"]).collect();
    assert_eq!(shown, ["custom", "namespace"], "the response shows which tools were offered");

    // and back
    let mut input = output.clone();
    input.push(json!({"type": "custom_tool_call_output", "call_id": "c0", "output": "done"}));
    input.push(json!({"type": "function_call_output", "call_id": "c1", "output": "none"}));
    let sent = Exchange::new("openai", json!({"input": input, "tools": tools})).sent();
    let calls = &sent["messages"][0]["tool_calls"];
    assert_eq!(
        (&calls[0]["function"]["arguments"], &calls[1]["function"]["name"]),
        (&json!(arguments), &json!("mcp__git__log"))
    );
    assert_eq!(
        (&sent["messages"][1]["content"], &sent["messages"][2]["tool_call_id"]),
        (&json!("done"), &json!("c1"))
    );
}

#[test]
fn the_request_and_the_usage_are_in_the_response() {
    let exchange = Exchange::new(
        "openai",
        json!({"instructions": "Be brief.", "metadata": {"a": "b"}, "temperature": 0.5}),
    );
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 5}});
    let body = json!({"id": "chatcmpl-1", "model": "m-2", "usage": usage,
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]});
    let complete = exchange.reader().read_complete(body.to_string().into()).expect("a response");
    let response: Value = serde_json::from_slice(&complete.body).expect("JSON");
    assert_eq!(response["id"], "resp_loam_00000000000000000000000000000000");
    for (field, value) in [
        ("instructions", json!("Be brief.")),
        ("metadata", json!({"a": "b"})),
        ("temperature", json!(0.5)),
        ("model", json!("m-2")),
        ("status", json!("completed")),
        ("tool_choice", json!("auto")),
        ("error", Value::Null),
        (
            "usage",
            json!({"input_tokens": 9, "output_tokens": 7, "total_tokens": 16,
                "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 5}}),
        ),
    ] {
        assert_eq!(response[field], value, "{field}");
    }
}

#[test]
fn a_failure_ends_the_stream_with_a_failed_response() {
    let exchange = Exchange::new("openai", json!({"stream": true}));
    let text = chunk(json!({"content": "Hel"}), None);
    for (error, code) in [
        (json!({"message": "the moon is full", "type": "server_error", "code": null}), "server_error"),
        (json!({"message": "the moon is full", "code": 429}), "rate_limit_exceeded"),
        (
            json!({"message": "the moon is full", "code": "context_length_exceeded"}),
            "context_length_exceeded",
        ),
    ] {
        let mut reader = exchange.reader();
        let forward = reader.push(format!("{text}data: {}\n\n", json!({"error": error})).into());
        let seen = events(&forward.now);
        let last = seen.last().expect("an event");
        assert_eq!(
            (&last["type"], &last["response"]["status"]),
            (&json!("response.failed"), &json!("failed"))
        );
        assert_eq!(last["response"]["error"], json!({"code": code, "message": "the moon is full"}));
        assert_eq!(last["response"]["output"][0]["content"][0]["text"], "Hel");
        assert_eq!(last["response"]["output"][0]["status"], "incomplete");
        assert_eq!(last["sequence_number"], seen.len() - 1);
        assert!(reader.finish().is_empty());
    }
    let mut reader = exchange.reader();
    let before = events(&reader.push(text.into()).now).len();
    assert!(reader.finish().is_empty() && !reader.is_complete());
    let broke_off = Error::new(Kind::BadGateway, "provider_broke_off", "the provider broke off");
    let last = events(&reader.interrupted(&broke_off).expect("an event of its own"));
    assert_eq!(
        (last.len(), &last[0]["type"], &last[0]["sequence_number"]),
        (1, &json!("response.failed"), &json!(before))
    );
    assert_eq!(last[0]["response"]["error"]["code"], "provider_broke_off");
    let native = kind("openai").expect("a kind").wire;
    let config = serde_json::from_value(json!({"base_url": "https://example.org"})).expect("a configuration");
    assert_eq!(native.reader(&config, &exchange.request()).interrupted(&broke_off), None);
}
