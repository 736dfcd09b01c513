//! Behaviour specific to a kind, beyond the common cases of the conformance suite.

use bytes::Bytes;
use loam_kernel::LlmCallId;
use loam_providers::openai::RequestEnvelope;
use loam_providers::{BETAS, Config, Endpoint, ProviderRequest, Usage, assemble, completion_text, kind};
use serde_json::{Value, json};

fn config(fields: Value) -> Config {
    let mut config = json!({"base_url": "https://example.org"});
    for (name, value) in fields.as_object().expect("fields") {
        config[name] = value.clone();
    }
    serde_json::from_value(config).expect("a configuration")
}

/// The request that a provider of the kind receives.
fn sent(name: &str, config: &Config, endpoint: Endpoint, body: &Value) -> loam_kernel::Result<Value> {
    let body = Bytes::from(body.to_string());
    let envelope = RequestEnvelope::read(&body)?;
    let provider_request = ProviderRequest {
        endpoint,
        envelope: &envelope,
        body: &body,
        model: "m",
        betas: &[],
        call: LlmCallId::NIL,
        previous_response: None,
    };
    let outgoing = kind(name).expect("a kind").wire.outgoing(config, &provider_request)?;
    Ok(serde_json::from_slice(&outgoing.body).expect("JSON"))
}

fn message(fields: Value) -> Value {
    let mut body = json!({"model": "p/m", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}]});
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

fn headers(name: &str, config: &Config) -> Vec<(String, String)> {
    let headers = kind(name).expect("a kind").wire.headers(config, Some("secret")).expect("headers");
    let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
    for (name, value) in &headers {
        assert_eq!(value.is_sensitive(), text(value).contains("secret"), "{name}: a key is not for a log");
    }
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[test]
fn the_key_is_sent_in_each_providers_header() {
    let bearer = ("authorization".to_owned(), "Bearer secret".to_owned());
    for name in ["openai", "qwen", "deepseek", "ollama", "dify"] {
        assert_eq!(headers(name, &config(json!({}))), std::slice::from_ref(&bearer));
    }
    let expected = [("anthropic-version", "2023-06-01"), ("x-api-key", "secret")];
    assert_eq!(
        headers("anthropic", &config(json!({}))),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn beta_features_of_the_configuration_and_of_the_client_are_sent() {
    let sent = |configured: Value, client: &[&'static str], endpoint| {
        let body = Bytes::from(message(json!({})).to_string());
        let envelope = RequestEnvelope::read(&body).expect("valid");
        let betas: Vec<_> = client.iter().copied().map(http::HeaderValue::from_static).collect();
        let request = ProviderRequest {
            endpoint,
            envelope: &envelope,
            body: &body,
            model: "m",
            betas: &betas,
            call: LlmCallId::NIL,
            previous_response: None,
        };
        let outgoing = kind("anthropic").expect("a kind").wire.outgoing(&config(configured), &request);
        let headers = outgoing.expect("a request").headers;
        assert!(headers.iter().all(|(name, _)| *name == BETAS) && headers.len() < 2, "{headers:?}");
        headers.first().map(|(_, value)| value.to_str().expect("ASCII").to_owned())
    };
    for endpoint in [Endpoint::Messages, Endpoint::ChatCompletions] {
        assert_eq!(sent(json!({}), &[], endpoint), None);
        assert_eq!(sent(json!({}), &["a-2025, b-2026"], endpoint).as_deref(), Some("a-2025, b-2026"));
        let configured = json!({"betas": ["a-2025", "b-2026"]});
        let all = sent(configured, &["c-2026", "b-2026, d-2026"], endpoint);
        assert_eq!(all.as_deref(), Some("a-2025,b-2026,c-2026,d-2026"));
    }
}

#[test]
fn reasoning_effort_is_translated_for_anthropics_models() {
    let think = |thinking: &str, fields: Value| {
        let sent = sent(
            "anthropic",
            &config(json!({"thinking": thinking})),
            Endpoint::ChatCompletions,
            &message(fields),
        );
        let sent = sent.expect("a request");
        (sent["thinking"].clone(), sent["output_config"].clone(), sent["max_tokens"].clone())
    };
    let high = json!({"reasoning_effort": "high"});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    assert_eq!(think("adaptive", high.clone()), (adaptive, json!({"effort": "high"}), json!(50)));
    let budget = json!({"type": "enabled", "budget_tokens": 16_384});
    assert_eq!(think("budget", high.clone()), (budget, Value::Null, json!(16_434)));
    assert_eq!(think("off", high), (Value::Null, Value::Null, json!(50)));
    let none = json!({"reasoning_effort": "none"});
    assert_eq!(think("adaptive", none), (Value::Null, Value::Null, json!(50)));
    let minimal = json!({"reasoning_effort": "minimal"});
    assert_eq!(think("adaptive", minimal), (Value::Null, json!({"effort": "low"}), json!(50)));
    // a forced tool call excludes thinking, but not the effort; the response format is sent too
    let forced = json!({"reasoning_effort": "low", "tool_choice": "required",
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}});
    let config = json!({"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}});
    assert_eq!(think("adaptive", forced), (Value::Null, config, json!(50)));
}

#[test]
fn anthropics_limits_apply_and_its_own_fields_are_forwarded() {
    let body = json!({"model": "p/m", "messages": [{"role": "user", "content": "x"}], "temperature": 1.7,
        "top_k": 5, "store": true, "seed": 1, "metadata": {"a": "b"}, "stop": "END", "stream": true});
    let chat = |max_tokens| {
        let config = config(json!({"max_tokens": max_tokens}));
        sent("anthropic", &config, Endpoint::ChatCompletions, &body).expect("a request")
    };
    assert_eq!(
        chat(json!(7)),
        json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
            "max_tokens": 7, "temperature": 1.0, "top_k": 5, "stop_sequences": ["END"], "stream": true})
    );
    assert_eq!(chat(Value::Null)["max_tokens"], 4096);
}

#[test]
fn an_invalid_request_is_rejected_with_the_path() {
    let call = json!({"id": "t", "type": "function", "function": {"name": "f", "arguments": "{"}});
    let chat = [
        (json!({"messages": 7}), "messages"),
        (json!({"messages": [{"content": "x"}]}), "messages.0.role"),
        (json!({"messages": [{"role": "wizard", "content": "x"}]}), "messages.0.role"),
        (json!({"messages": [{"role": "user", "content": 7}]}), "messages.0.content"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "video"}]}]}),
            "messages.0.content.0.type",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}]}),
            "messages.0.content.0.image_url.url",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [call]}]}),
            "messages.0.tool_calls.0.function.arguments",
        ),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages.0.tool_call_id"),
        (json!({"tools": [{"type": "custom"}]}), "tools.0.type"),
        (json!({"response_format": {"type": "json_schema"}}), "response_format.json_schema.schema"),
    ];
    let messages = [
        (json!({"max_tokens": null}), "max_tokens"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]}),
            "messages.0.content.0.source.type",
        ),
        (json!({"tool_choice": {"type": "some"}, "tools": [{"name": "f"}]}), "tool_choice.type"),
        (json!({"mcp_servers": [{}]}), "mcp_servers"),
        (json!({"system": 7}), "system"),
    ];
    let param = |name, endpoint, fields| {
        let error = sent(name, &config(json!({})), endpoint, &message(fields)).expect_err("refused");
        assert_eq!(error.status(), 400);
        error.param().map(str::to_owned)
    };
    for (fields, expected) in chat {
        assert_eq!(param("anthropic", Endpoint::ChatCompletions, fields).as_deref(), Some(expected));
    }
    for (fields, expected) in messages {
        assert_eq!(param("openai", Endpoint::Messages, fields).as_deref(), Some(expected));
    }
}

#[test]
fn anthropics_thinking_is_translated_for_each_kind() {
    let fields =
        json!({"thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "high"}});
    let got = |name: &str, config: &Config, fields: &Value| {
        let mut sent = sent(name, config, Endpoint::Messages, &message(fields.clone())).expect("a request");
        let sent = sent.as_object_mut().expect("an object");
        ["model", "messages"].iter().for_each(|field| drop(sent.remove(*field)));
        Value::Object(sent.clone())
    };
    let plain = config(json!({}));
    assert_eq!(got("openai", &plain, &fields), json!({"max_tokens": 50, "reasoning_effort": "high"}));
    let own = config(json!({"base_url": "https://api.openai.com/v1"}));
    assert_eq!(
        got("openai", &own, &fields),
        json!({"max_completion_tokens": 50, "reasoning_effort": "high"})
    );
    let qwen = json!({"max_tokens": 50, "enable_thinking": true, "thinking_budget": 2000});
    assert_eq!(got("qwen", &plain, &fields), qwen);
    let deepseek = json!({"max_tokens": 50, "thinking": {"type": "enabled"}, "reasoning_effort": "high"});
    assert_eq!(got("deepseek", &plain, &fields), deepseek);
    assert_eq!(got("ollama", &plain, &fields), json!({"max_tokens": 50, "reasoning_effort": "high"}));
    let off = json!({"thinking": {"type": "disabled"}});
    assert_eq!(got("qwen", &plain, &off), json!({"max_tokens": 50, "enable_thinking": false}));
    assert_eq!(got("deepseek", &plain, &off), json!({"max_tokens": 50, "thinking": {"type": "disabled"}}));
    assert_eq!(got("ollama", &plain, &off), json!({"max_tokens": 50, "reasoning_effort": "none"}));
}

#[test]
fn deepseek_receives_the_reasoning_that_led_to_a_tool_call() {
    let fields = json!({"tools": [{"name": "f"}], "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "y"}]}]});
    let reasoning = |name| {
        let sent =
            sent(name, &config(json!({})), Endpoint::Messages, &message(fields.clone())).expect("a request");
        sent["messages"][1].get("reasoning_content").cloned()
    };
    assert_eq!(reasoning("deepseek"), Some(json!("hm")));
    assert_eq!(reasoning("openai"), None);
}

#[test]
fn deepseeks_own_field_for_cached_tokens_is_read_too() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 6,
        "prompt_cache_miss_tokens": 4});
    let usage: Usage = serde_json::from_value(usage).expect("usage");
    assert_eq!((usage.cached_tokens, usage.total_tokens), (6, 12));
}

const RESPONSE: &str = "event: response.created\n\
    data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"output\":[],\"usage\":null}}\n\n\
    event: response.output_item.added\n\
    data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\",\"content\":[]}}\n\n\
    event: response.output_text.delta\n\
    data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Hel\"}\n\n\
    event: response.output_text.delta\n\
    data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"lo\"}\n\n\
    event: response.completed\n\
    data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"output\":[{\"type\":\"message\",\
    \"content\":[{\"type\":\"output_text\",\"text\":\"Hello\"}]}],\"usage\":{\"input_tokens\":9,\"output_tokens\":2,\
    \"input_tokens_details\":{\"cached_tokens\":4},\"total_tokens\":11}}}\n\n";

/// Runs a stream of the Responses API; returns what was forwarded, the end, the usage and the failure.
fn respond(stream: &str, size: usize) -> (String, Option<String>, Option<Usage>, Option<String>) {
    let body = Bytes::from_static(b"{\"model\":\"p/m\",\"input\":\"x\",\"stream\":true}");
    let envelope = RequestEnvelope::read(&body).expect("valid");
    let provider_request = ProviderRequest {
        endpoint: Endpoint::Responses,
        envelope: &envelope,
        body: &body,
        model: "m",
        betas: &[],
        call: LlmCallId::NIL,
        previous_response: None,
    };
    let mut reader = kind("openai").expect("a kind").wire.reader(&config(json!({})), &provider_request);
    let (mut now, mut last) = (Vec::new(), None);
    for part in stream.as_bytes().chunks(size) {
        let forward = reader.push(Bytes::copy_from_slice(part));
        now.extend_from_slice(&forward.now);
        last = last.or(forward.last);
    }
    now.extend_from_slice(&reader.finish());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let failure = reader.failure().map(|error| error.message.clone());
    assert_eq!(reader.is_complete(), last.is_some());
    (text(&now), last.as_deref().map(text), reader.usage(), failure)
}

#[test]
fn a_responses_stream_is_forwarded_with_its_end_delayed() {
    let usage =
        json!({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}});
    let usage: Usage = serde_json::from_value(usage).expect("usage");
    for stream in ["\n", "\r\n", "\r"].map(|end| RESPONSE.replace('\n', end)) {
        for size in 1..=stream.len() {
            let (now, last, counted, failure) = respond(&stream, size);
            let last = last.expect("an end");
            assert!(last.starts_with("event: response.completed"), "cut every {size}");
            assert_eq!((now + &last, counted, failure), (stream.clone(), Some(usage), None));
        }
    }
    let failed = RESPONSE.replace("response.completed", "response.failed").replace(
        "\"usage\":{",
        "\"error\":{\"code\":\"server_error\",\"message\":\"the moon is full\"},\"usage\":{",
    );
    let (_, _, counted, failure) = respond(&failed, 40);
    assert_eq!((counted, failure.as_deref()), (Some(usage), Some("the moon is full")));
    let broken = "event: error\ndata: {\"type\":\"error\",\"message\":\"the moon is full\"}\n\n";
    let (now, last, counted, failure) = respond(broken, 7);
    assert_eq!(
        (now.as_str(), last, counted, failure.as_deref()),
        (broken, None, None, Some("the moon is full"))
    );
}

#[test]
fn a_responses_stream_is_assembled_even_if_truncated() {
    let whole = assemble(RESPONSE);
    assert_eq!((completion_text(&whole).as_str(), &whole["usage"]["input_tokens"]), ("Hello", &json!(9)));
    let cut = assemble(&RESPONSE[..RESPONSE.find("event: response.completed").expect("it is there")]);
    assert_eq!((completion_text(&cut).as_str(), &cut["id"]), ("Hello", &json!("resp_1")));
}

#[test]
fn a_truncated_message_is_assembled_as_far_as_it_arrived() {
    let stream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"content\":[],\
        \"usage\":{\"input_tokens\":3}}}\n\n\
        data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"name\":\"f\",\"input\":{}}}\n\n\
        data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}}\n\n";
    let message = assemble(stream);
    assert_eq!((&message["id"], &message["content"][0]["input"]), (&json!("msg_1"), &json!("{\"a\":")));
    assert_eq!(assemble(""), json!({"choices": []}));
}

/// The names and the data of the events that a client of Anthropic's format gets for a stream of tool calls.
fn blocks(parts: &[(u64, &str, &str)]) -> Vec<String> {
    let part = |(index, id, arguments): &(u64, &str, &str)| {
        let call = json!({"index": index, "id": id, "function": {"name": id, "arguments": arguments}});
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}))
    };
    let body = Bytes::from(message(json!({"stream": true})).to_string());
    let envelope = RequestEnvelope::read(&body).expect("valid");
    let provider_request = ProviderRequest {
        endpoint: Endpoint::Messages,
        envelope: &envelope,
        body: &body,
        model: "m",
        betas: &[],
        call: LlmCallId::NIL,
        previous_response: None,
    };
    let mut reader = kind("openai").expect("a kind").wire.reader(&config(json!({})), &provider_request);
    let mut sent = String::new();
    for chunk in parts.iter().map(part).chain(["data: [DONE]\n\n".to_owned()]) {
        sent += std::str::from_utf8(&reader.push(chunk.into()).now).expect("UTF-8");
    }
    assert_eq!(reader.failure(), None);
    let event = |event: &str| {
        let data: Value = serde_json::from_str(event.split_once("data: ")?.1).ok()?;
        let (index, delta) = (data["index"].as_u64()?, &data["delta"]["partial_json"]);
        Some(match data["type"].as_str()? {
            "content_block_start" => format!("{index} {}", data["content_block"]["id"].as_str()?),
            "content_block_delta" => format!("{index} {}", delta.as_str()?),
            _ => format!("{index} end"),
        })
    };
    sent.split("\n\n").filter_map(event).collect()
}

#[test]
fn tool_calls_are_sent_one_after_the_other_even_if_they_arrive_interleaved() {
    let sequential = [(0, "a", "{"), (0, "a", "}"), (1, "b", "{}")];
    assert_eq!(blocks(&sequential), ["0 a", "0 {", "0 }", "0 end", "1 b", "1 {}", "1 end"]);
    let interleaved =
        [(0, "a", ""), (1, "b", ""), (0, "a", "{"), (1, "b", "{\"x\":"), (0, "a", "}"), (1, "b", "1}")];
    assert_eq!(blocks(&interleaved), ["0 a", "0 {", "0 }", "0 end", "1 b", "1 {\"x\":", "1 1}", "1 end"]);
    let without_arguments = [(0, "a", ""), (1, "b", "{}"), (2, "c", "")];
    assert_eq!(blocks(&without_arguments), ["0 a", "0 end", "1 b", "1 {}", "1 end", "2 c", "2 end"]);
}

#[test]
fn the_query_for_an_application_is_the_last_user_message() {
    let turns = json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "And"}, {"role": "user", "content": "now?"}]);
    let provider_request = |fields: Value| {
        let mut body = json!({"model": "p/m", "messages": turns});
        fields.as_object().expect("fields").iter().for_each(|(name, value)| body[name] = value.clone());
        sent("dify", &config(json!({})), Endpoint::ChatCompletions, &body)
    };
    let new = provider_request(json!({})).expect("a request");
    assert_eq!(new["query"], "Be kind.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: And\n\nnow?");
    let known = provider_request(json!({"dify": {"conversation_id": "c", "auto_generate_name": false}}))
        .expect("a request");
    assert_eq!(
        known,
        json!({"query": "And\n\nnow?", "inputs": {}, "response_mode": "blocking", "user": "loam", "conversation_id": "c",
            "auto_generate_name": false})
    );
    let stream = provider_request(json!({"stream": true, "metadata": {"conversation_id": "c"}, "user": "u"}))
        .expect("a request");
    assert_eq!(
        (&stream["response_mode"], &stream["conversation_id"], &stream["user"]),
        (&json!("streaming"), &json!("c"), &json!("u"))
    );
    for (fields, param) in [
        (json!({"dify": 7}), "dify"),
        (json!({"dify": {"inputs": []}}), "dify.inputs"),
        (json!({"dify": {"conversation_id": 7}}), "dify.conversation_id"),
        (
            json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}),
            "messages",
        ),
        (json!({"messages": []}), "messages"),
    ] {
        assert_eq!(provider_request(fields).expect_err("refused").param(), Some(param));
    }
}

#[test]
fn a_stream_with_only_an_end_is_an_empty_message() {
    let body = Bytes::from(message(json!({"stream": true})).to_string());
    let envelope = RequestEnvelope::read(&body).expect("valid");
    let provider_request = ProviderRequest {
        endpoint: Endpoint::Messages,
        envelope: &envelope,
        body: &body,
        model: "m",
        betas: &[],
        call: LlmCallId::NIL,
        previous_response: None,
    };
    let mut reader = kind("openai").expect("a kind").wire.reader(&config(json!({})), &provider_request);
    let forward = reader.push(Bytes::from_static(b"data: [DONE]\n\n"));
    let now = std::str::from_utf8(&forward.now).expect("UTF-8");
    assert!(now.starts_with("event: message_start\n") && now.contains("event: message_delta\n"), "{now}");
    assert!(forward.last.is_some_and(|last| last.starts_with(b"event: message_stop")));
}

#[test]
fn repeated_usage_is_reported_once() {
    let body =
        json!({"model": "p/m", "stream": true, "stream_options": {"include_usage": true}, "messages": []});
    let body = Bytes::from(body.to_string());
    let envelope = RequestEnvelope::read(&body).expect("valid");
    let provider_request = ProviderRequest {
        endpoint: Endpoint::ChatCompletions,
        envelope: &envelope,
        body: &body,
        model: "m",
        betas: &[],
        call: LlmCallId::NIL,
        previous_response: None,
    };
    let mut reader = kind("anthropic").expect("a kind").wire.reader(&config(json!({})), &provider_request);
    let delta = |tokens: u64| {
        format!(
            "data: {}\n\n",
            json!({"type": "message_delta", "delta": {}, "usage": {"output_tokens": tokens}})
        )
    };
    let stream = delta(3) + &delta(5) + "data: {\"type\":\"message_stop\"}\n\n";
    let forward = reader.push(stream.into());
    let now = std::str::from_utf8(&forward.now).expect("UTF-8");
    assert_eq!(now.matches("\"completion_tokens\":5").count(), 1, "{now}");
    assert!(!now.contains("\"completion_tokens\":3"));
    assert_eq!(reader.usage().map(|usage| usage.completion_tokens), Some(5));
}

#[test]
fn anthropics_demands_on_texts_tools_and_ids_are_met() {
    let call = |id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": " "}});
    let tool = |name, parameters: Value| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    let body = message(json!({
        "messages": [
            {"role": "system", "content": " "},
            {"role": "user", "content": [{"type": "text", "text": "\n"}, {"type": "text", "text": "x"}]},
            {"role": "assistant", "content": " ", "tool_calls": [call("functions.f:0"), call("b")]},
            {"role": "tool", "tool_call_id": "functions.f:0", "content": "1"},
            {"role": "user", "content": "and"},
            {"role": "tool", "tool_call_id": "b", "content": "2"},
            {"role": "assistant", "content": "So \n"}],
        "tools": [tool("f", Value::Null), tool("g", json!({})), tool("h", json!({"properties": {"a": {}}}))],
    }));
    let request = sent("anthropic", &config(json!({})), Endpoint::ChatCompletions, &body).expect("a request");
    let text = |text| json!({"type": "text", "text": text});
    let mapped = "id64_ZnVuY3Rpb25zLmY6MA";
    let tool_use = |id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id, of| json!({"type": "tool_result", "tool_use_id": id, "content": [text(of)]});
    let expected = json!([
        {"role": "user", "content": [text("x")]},
        {"role": "assistant", "content": [tool_use(mapped), tool_use("b")]},
        {"role": "user", "content": [result(mapped, "1"), result("b", "2"), text("and")]},
        {"role": "assistant", "content": [text("So")]},
    ]);
    assert_eq!((&request["messages"], &request["system"]), (&expected, &Value::Null));
    let schemas: Vec<&Value> =
        request["tools"].as_array().expect("tools").iter().map(|tool| &tool["input_schema"]).collect();
    let object = json!({"type": "object"});
    assert_eq!(schemas, [&object, &object, &json!({"type": "object", "properties": {"a": {}}})]);

    // the provider that made the id gets it back
    let body = message(json!({"messages": expected, "tools": [{"name": "f", "input_schema": null}]}));
    let error = sent("openai", &config(json!({})), Endpoint::Messages, &body)
        .expect_err("a final turn of the assistant");
    assert_eq!(error.code(), "unsupported_feature");
    let body = message(
        json!({"messages": expected.as_array().expect("turns")[..3], "tools": [{"name": "f", "input_schema": null}]}),
    );
    let request = sent("openai", &config(json!({})), Endpoint::Messages, &body).expect("a request");
    let ids = [&request["messages"][1]["tool_calls"][0]["id"], &request["messages"][2]["tool_call_id"]];
    assert_eq!(ids, ["functions.f:0"; 2]);
    assert_eq!(request["tools"][0]["function"]["parameters"], object);
}
