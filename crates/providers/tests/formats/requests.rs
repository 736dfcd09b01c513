//! Requests of each format.

use loam_providers::Endpoint;
use serde_json::{Value, json};

use super::{config, message, sent};

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
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}),
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
