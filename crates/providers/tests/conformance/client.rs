//! Parses responses as clients do, in every format.

use loam_providers::Endpoint;
use loam_providers::openai::{ChatOutput, StreamEvent};
use serde_json::{Map, Value, json};

use crate::responses;

/// The response that a client parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub reasoning: String,
    pub text: String,
    /// Id, name, arguments.
    pub calls: Vec<(String, String, Value)>,
    /// As OpenAI's `finish_reason`.
    pub stop: String,
    /// Prompt tokens including cached ones, completion tokens, cached tokens; if the client received them.
    pub usage: Option<(u64, u64, u64)>,
    pub error: Option<String>,
}

/// What Loam's own calls make of the output that a reader has kept; or what went wrong.
pub fn of_output(mut output: ChatOutput) -> Result<Seen, String> {
    let mut seen = Seen::default();
    for event in output.take_events() {
        match event {
            StreamEvent::Text(text) => seen.text += &text,
            StreamEvent::Reasoning(text) => seen.reasoning += &text,
        }
    }
    let end = output.end()?;
    let call = |arguments: &str| serde_json::from_str(arguments).expect("JSON");
    seen.calls = end.tools.into_iter().map(|tool| (tool.id, tool.name, call(&tool.arguments))).collect();
    seen.stop = end.finish_reason.unwrap_or_default().to_owned();
    seen.usage = end.usage.map(|usage| (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens));
    Ok(seen)
}

/// Parses a response that is not streamed, and checks what clients rely on.
pub fn read(endpoint: Endpoint, response: &Value) -> Seen {
    match endpoint {
        Endpoint::Messages => read_message(response),
        Endpoint::Responses => responses::read(response),
        _ => read_chat(response),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn chat_usage(usage: &Value) -> Option<(u64, u64, u64)> {
    let number = |value: &Value| value.as_u64();
    let cached = number(&usage["prompt_tokens_details"]["cached_tokens"]).unwrap_or(0);
    Some((number(&usage["prompt_tokens"])?, number(&usage["completion_tokens"])?, cached))
}

fn read_chat(response: &Value) -> Seen {
    assert_eq!(response["object"], "chat.completion");
    assert!(
        response["id"].is_string() && response["created"].is_i64() && response["model"].is_string(),
        "{response}"
    );
    let choice = &response["choices"][0];
    let message = &choice["message"];
    assert_eq!(message["role"], "assistant");
    let call = |call: &Value| {
        assert_eq!(call["type"], "function");
        let arguments =
            serde_json::from_str(call["function"]["arguments"].as_str().expect("text")).expect("JSON");
        (text(&call["id"]), text(&call["function"]["name"]), arguments)
    };
    let reasoning =
        if message["reasoning"].is_string() { &message["reasoning"] } else { &message["reasoning_content"] };
    Seen {
        reasoning: text(reasoning),
        text: text(&message["content"]),
        calls: message["tool_calls"].as_array().into_iter().flatten().map(call).collect(),
        stop: text(&choice["finish_reason"]),
        usage: chat_usage(&response["usage"]),
        error: None,
    }
}

fn read_message(message: &Value) -> Seen {
    assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")));
    assert!(message["id"].as_str().is_some_and(|id| id.starts_with("msg_")), "{message}");
    assert!(message["model"].is_string() && message["stop_sequence"].is_null());
    let mut seen = Seen::default();
    for block in message["content"].as_array().expect("content") {
        match block["type"].as_str().expect("a type") {
            "text" => seen.text += block["text"].as_str().expect("text"),
            "thinking" => seen.reasoning += block["thinking"].as_str().expect("text"),
            "tool_use" => seen.calls.push((text(&block["id"]), text(&block["name"]), block["input"].clone())),
            other => panic!("a block of type {other}"),
        }
    }
    seen.stop = match message["stop_reason"].as_str().expect("a reason") {
        "end_turn" => "stop",
        "max_tokens" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        other => panic!("no client knows the reason {other}"),
    }
    .to_owned();
    let number = |field: &str| message["usage"][field].as_u64().expect("a count");
    let cached = number("cache_read_input_tokens");
    let read = number("input_tokens") + cached + number("cache_creation_input_tokens");
    seen.usage = Some((read, number("output_tokens"), cached));
    seen
}

/// The events of a stream: their names and data.
pub fn events(stream: &str) -> Vec<(String, String)> {
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    for event in stream.split("\n\n") {
        let of = |field: &str| {
            event.lines().find_map(|line| line.strip_prefix(field)).map(|v| v.trim().to_owned())
        };
        if let Some(data) = of("data:") {
            events.push((of("event:").unwrap_or_default(), data));
        }
    }
    events
}

/// Parses a stream, and checks the order that clients rely on.
pub fn read_stream(endpoint: Endpoint, stream: &str) -> Seen {
    match endpoint {
        Endpoint::Messages => read_message_stream(stream),
        Endpoint::Responses => responses::read_stream(stream),
        _ => read_chat_stream(stream),
    }
}

fn read_chat_stream(stream: &str) -> Seen {
    let mut seen = Seen::default();
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for (_, data) in events(stream) {
        if data == "[DONE]" {
            continue;
        }
        let chunk: Value = serde_json::from_str(&data).expect("JSON");
        if chunk["error"].is_object() {
            seen.error = Some(text(&chunk["error"]["message"]));
            continue;
        }
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(
            chunk["id"].is_string() && chunk["created"].is_i64() && chunk["model"].is_string(),
            "{chunk}"
        );
        seen.usage = chat_usage(&chunk["usage"]).or(seen.usage);
        for choice in chunk["choices"].as_array().expect("choices") {
            let delta = &choice["delta"];
            seen.text += delta["content"].as_str().unwrap_or_default();
            for field in ["reasoning_content", "reasoning"] {
                seen.reasoning += delta[field].as_str().unwrap_or_default();
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let at = usize::try_from(call["index"].as_u64().expect("an index")).expect("small");
                if at == calls.len() {
                    calls.push((text(&call["id"]), text(&call["function"]["name"]), String::new()));
                }
                calls[at].2 += call["function"]["arguments"].as_str().unwrap_or_default();
            }
            if let Some(stop) = choice["finish_reason"].as_str() {
                seen.stop = stop.to_owned();
            }
        }
    }
    // a call with truncated arguments is ignored
    let whole =
        |(id, name, json): (String, String, String)| Some((id, name, serde_json::from_str(&json).ok()?));
    seen.calls = calls.into_iter().filter_map(whole).collect();
    seen
}

fn read_message_stream(stream: &str) -> Seen {
    let mut message = Value::Null;
    let mut content: Vec<Value> = Vec::new();
    let mut error = None;
    let mut open = false;
    for (name, data) in events(stream) {
        let event: Value = serde_json::from_str(&data).expect("JSON");
        assert_eq!(event["type"], name.as_str(), "an event is named by its data");
        let at = event["index"].as_u64().map(|at| usize::try_from(at).expect("small"));
        match name.as_str() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                assert!(!open && at == Some(content.len()), "blocks come one after the other");
                open = true;
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                assert!(open && at == Some(content.len() - 1), "a delta is of the open block");
                let block = content.last_mut().expect("open");
                for field in ["text", "thinking", "partial_json"] {
                    if let Some(more) = event["delta"][field].as_str() {
                        block[field] = (text(&block[field]) + more).into();
                    }
                }
            }
            "content_block_stop" => {
                assert!(open && at == Some(content.len() - 1));
                open = false;
            }
            "message_delta" => {
                assert!(!open, "the message ends behind its blocks");
                for (name, value) in event["delta"].as_object().expect("fields") {
                    message[name] = value.clone();
                }
                for (name, value) in event["usage"].as_object().expect("counts") {
                    message["usage"][name] = value.clone();
                }
            }
            "error" => error = Some(text(&event["error"]["message"])),
            "message_stop" | "ping" => {}
            other => panic!("no client knows {other}"),
        }
    }
    for block in content.iter_mut().filter(|block| block["type"] == "tool_use") {
        let json = text(&block["partial_json"]);
        let input: Option<Map<String, Value>> =
            if json.is_empty() { Some(Map::new()) } else { serde_json::from_str(&json).ok() };
        block["input"] = input.map_or(Value::Null, Value::Object);
    }
    if error.is_some() || message["stop_reason"].is_null() {
        let text = content.iter().filter_map(|block| block["text"].as_str()).collect();
        return Seen { text, error, ..Seen::default() };
    }
    message["content"] = content.into();
    read_message(&message)
}
