use super::*;

fn asked_of(endpoint: Endpoint, body: Value) -> Vec<Said> {
    asked(endpoint, body.to_string().as_bytes())
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
fn the_same_conversation_is_read_alike_in_every_format() {
    let text = Said::text;
    let expected = vec![
        text(Speaker::System, "be brief"),
        text(Speaker::User, "how is\nOslo?"),
        Said { tool_calls: Some(weather("c1")), ..text(Speaker::Assistant, "") },
        Said { tool_call_id: Some("c1".to_owned()), ..text(Speaker::Tool, "rain") },
        text(Speaker::Assistant, "It rains."),
        text(Speaker::User, "thanks"),
    ];
    for (endpoint, body) in conversation() {
        assert_eq!(asked_of(endpoint, body), expected, "{endpoint:?}");
    }
}

#[test]
fn an_image_is_kept_as_a_part_in_every_format() {
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
        let said = asked_of(endpoint, body).remove(0);
        assert_eq!(said.text, "what is");
        assert_eq!(said.parts.expect("parts")[1]["image_url"]["url"], url, "{endpoint:?}");
    }
}

#[test]
fn an_answer_is_read_alike_in_every_format() {
    let chat = json!({"choices": [{"finish_reason": "tool_calls", "message": {"role": "assistant", "content": "Let me see.",
        "tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]}}]});
    let message = json!({"stop_reason": "tool_use", "content": [{"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}]});
    let response = json!({"status": "completed", "output": [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{\"city\":\"Oslo\"}"}]});
    for (endpoint, answer) in
        [(Endpoint::ChatCompletions, chat), (Endpoint::Messages, message), (Endpoint::Responses, response)]
    {
        let (said, finish) = answered(endpoint, &answer);
        let expected =
            Said { tool_calls: Some(weather("c1")), ..Said::text(Speaker::Assistant, "Let me see.") };
        assert_eq!((said, finish), (expected, Some(Finish::ToolCalls)), "{endpoint:?}");
        let nothing = (Said::text(Speaker::Assistant, ""), None);
        assert_eq!(answered(endpoint, &json!({})), nothing, "{endpoint:?}: nothing came");
    }
}

#[test]
fn no_nul_is_left_for_a_database_to_refuse() {
    let call = json!({"id": "c\u{0}", "type": "function", "function": {"name": "f", "arguments": "\u{0}"}});
    let body = json!({"messages": [{"role": "assistant", "content": "a\u{0}b", "tool_calls": [call]}]});
    let said = asked_of(Endpoint::ChatCompletions, body).remove(0);
    assert_eq!(said.text, "a\u{fffd}b");
    assert!(!said.tool_calls.expect("calls").to_string().contains("\\u0000"));
}

#[test]
fn a_request_that_is_of_another_form_has_said_nothing() {
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Messages, Endpoint::Responses] {
        for body in [
            json!(null),
            json!({"messages": 1, "input": 1}),
            json!({"messages": [1, null, {"role": 1}], "input": [1]}),
        ] {
            assert_eq!(asked_of(endpoint, body), []);
        }
    }
}
