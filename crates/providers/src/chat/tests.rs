use super::*;

fn parsed(endpoint: Endpoint, body: Value) -> Vec<ChatMessage> {
    parse_request(endpoint, body.to_string().as_bytes())
}

fn weather(id: &str) -> Value {
    json!([{ "id": id, "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Oslo\"}" } }])
}

/// The same conversation in each format.
fn conversation() -> Vec<(Endpoint, Value)> {
    let chat = json!({"messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "how is"}, {"type": "text", "text": "Oslo?"}]},
        {"role": "assistant", "content": null, "tool_calls": weather("c1")},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "assistant", "content": "It rains."},
        {"role": "user", "content": "thanks"}]});
    let message = json!({"system": "be brief", "messages": [
        {"role": "user", "content": [{"type": "text", "text": "how is", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Oslo?"}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"},
            {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rain"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "It "}, {"type": "text", "text": "rains."}]},
        {"role": "user", "content": "thanks"}]});
    let response = json!({"instructions": "be brief", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "how is"}, {"type": "input_text", "text": "Oslo?"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{\"city\":\"Oslo\"}"},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It rains."}]},
        {"role": "user", "content": "thanks"}]});
    vec![(Endpoint::ChatCompletions, chat), (Endpoint::Messages, message), (Endpoint::Responses, response)]
}

#[test]
fn the_same_conversation_is_parsed_the_same_in_every_format() {
    let text = ChatMessage::text;
    let expected = vec![
        text(ChatRole::System, "be brief"),
        text(ChatRole::User, "how is\nOslo?"),
        ChatMessage { tool_calls: Some(weather("c1")), ..text(ChatRole::Assistant, "") },
        ChatMessage { tool_call_id: Some("c1".to_owned()), ..text(ChatRole::Tool, "rain") },
        text(ChatRole::Assistant, "It rains."),
        text(ChatRole::User, "thanks"),
    ];
    for (endpoint, body) in conversation() {
        assert_eq!(parsed(endpoint, body), expected, "{endpoint:?}");
    }
}

#[test]
fn an_image_becomes_a_part_in_every_format() {
    let url = "data:image/png;base64,AAAA";
    let chat = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "what is"}, {"type": "image_url", "image_url": {"url": url}}]}]});
    let message = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "what is"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}]});
    let response = json!({"input": [{"role": "user", "content": [
        {"type": "input_text", "text": "what is"}, {"type": "input_image", "image_url": url}]}]});
    for (endpoint, body) in
        [(Endpoint::ChatCompletions, chat), (Endpoint::Messages, message), (Endpoint::Responses, response)]
    {
        let parsed = parsed(endpoint, body).remove(0);
        assert_eq!(parsed.text, "what is");
        assert_eq!(parsed.parts.expect("parts")[1]["image_url"]["url"], url, "{endpoint:?}");
    }
}

#[test]
fn a_response_is_parsed_the_same_in_every_format() {
    let chat = json!({"choices": [{"finish_reason": "tool_calls", "message": {"role": "assistant", "content": "Let me see.",
        "tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]}}]});
    let message = json!({"stop_reason": "tool_use", "content": [{"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}]});
    let response = json!({"status": "completed", "output": [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{\"city\":\"Oslo\"}"}]});
    for (endpoint, response) in
        [(Endpoint::ChatCompletions, chat), (Endpoint::Messages, message), (Endpoint::Responses, response)]
    {
        let (parsed, finish) = parse_response(endpoint, &response);
        let expected = ChatMessage {
            tool_calls: Some(weather("c1")),
            ..ChatMessage::text(ChatRole::Assistant, "Let me see.")
        };
        assert_eq!((parsed, finish), (expected, Some(Finish::ToolCalls)), "{endpoint:?}");
        let nothing = (ChatMessage::text(ChatRole::Assistant, ""), None);
        assert_eq!(parse_response(endpoint, &json!({})), nothing, "{endpoint:?}: no content");
    }
}

#[test]
fn nul_characters_are_replaced() {
    let call = json!({"id": "c\u{0}", "type": "function", "function": {"name": "f", "arguments": "\u{0}"}});
    let body = json!({"messages": [{"role": "assistant", "content": "a\u{0}b", "tool_calls": [call]}]});
    let parsed = parsed(Endpoint::ChatCompletions, body).remove(0);
    assert_eq!(parsed.text, "a\u{fffd}b");
    assert!(!parsed.tool_calls.expect("calls").to_string().contains("\\u0000"));
}

#[test]
fn a_request_of_an_unexpected_shape_has_no_messages() {
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Messages, Endpoint::Responses] {
        for body in [
            json!(null),
            json!({"messages": 1, "input": 1}),
            json!({"messages": [1, null, {"role": 1}], "input": [1]}),
        ] {
            assert_eq!(parsed(endpoint, body), []);
        }
    }
}
