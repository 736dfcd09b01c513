//! A client of OpenAI's Responses API: the requests that it writes, and how it reads a response. Written from the API
//! reference and the types of the `openai` package.

use serde_json::{Map, Value, json};

use crate::client::{Seen, events};

/// Fields of a chat completion that a request for a response lacks.
const LACKING: [&str; 5] = ["stop", "n", "logit_bias", "presence_penalty", "modalities"];

/// The request that a client writes instead of a chat completion; none if there is none.
pub fn as_request(chat: &Value) -> Option<Value> {
    let mut request = chat.as_object()?.clone();
    if LACKING.iter().any(|field| request.contains_key(*field)) {
        return None;
    }
    let mut input = Vec::new();
    for message in request.remove("messages")?.as_array()? {
        add_items(message, &mut request, &mut input);
    }
    // a client may send one text instead of items
    let only = input.first().filter(|item| input.len() == 1 && item["content"].is_string());
    let text = only.map(|item| item["content"].clone());
    request.insert("input".to_owned(), text.unwrap_or(Value::Array(input)));
    if let Some(limit) = request.remove("max_tokens") {
        request.insert("max_output_tokens".to_owned(), limit);
    }
    for tool in request.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        *tool = flat(tool, "function");
    }
    if let Some(choice) = request.get_mut("tool_choice").filter(|choice| choice.is_object()) {
        *choice = flat(choice, "function");
    }
    if let Some(format) = request.remove("response_format") {
        request.insert("text".to_owned(), json!({"format": flat(&format, "json_schema")}));
    }
    Some(request.into())
}

/// The fields of a nested object beside its type.
fn flat(value: &Value, field: &str) -> Value {
    let mut all = value[field].as_object().cloned().unwrap_or_default();
    all.insert("type".to_owned(), value["type"].clone());
    all.into()
}

fn add_items(message: &Value, request: &mut Map<String, Value>, input: &mut Vec<Value>) {
    match message["role"].as_str().expect("a role") {
        "system" => drop(request.insert("instructions".to_owned(), message["content"].clone())),
        "tool" => input.push(json!({"type": "function_call_output", "call_id": message["tool_call_id"],
            "output": message["content"]})),
        role => {
            let part = |part: &Value| match part["type"].as_str() {
                Some("image_url") => {
                    json!({"type": "input_image", "image_url": part["image_url"]["url"], "detail": "auto"})
                }
                _ => json!({"type": "input_text", "text": part["text"]}),
            };
            let content = match &message["content"] {
                Value::Array(parts) => parts.iter().map(part).collect(),
                text if role == "assistant" => {
                    json!([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}])
                }
                text => text.clone(),
            };
            input.push(json!({"type": "message", "role": role, "content": content}));
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                let (name, arguments) = (&call["function"]["name"], &call["function"]["arguments"]);
                input
                    .push(json!({"type": "function_call", "id": "fc_1", "call_id": call["id"], "name": name,
                    "arguments": arguments, "status": "completed"}));
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads a response.
pub fn read(response: &Value) -> Seen {
    assert_eq!(response["object"], "response");
    assert!(response["id"].as_str().is_some_and(|id| id.starts_with("resp_")), "{response}");
    assert!(response["created_at"].is_number() && response["model"].is_string(), "{response}");
    assert!(response["parallel_tool_calls"].is_boolean() && response["tools"].is_array(), "{response}");
    let mut seen = Seen::default();
    for item in response["output"].as_array().expect("items") {
        match item["type"].as_str().expect("a type") {
            "message" => {
                for part in item["content"].as_array().expect("parts") {
                    assert_eq!(part["type"], "output_text");
                    seen.text += part["text"].as_str().expect("text");
                }
            }
            "reasoning" => {
                for part in item["summary"].as_array().expect("parts") {
                    assert_eq!(part["type"], "summary_text");
                    seen.reasoning += part["text"].as_str().expect("text");
                }
            }
            "function_call" => {
                // a call with truncated arguments is ignored
                if let Ok(arguments) = serde_json::from_str(item["arguments"].as_str().expect("text")) {
                    seen.calls.push((text(&item["call_id"]), text(&item["name"]), arguments));
                }
            }
            other => panic!("an item of type {other}"),
        }
    }
    seen.stop =
        match (response["status"].as_str().expect("a status"), &response["incomplete_details"]["reason"]) {
            ("completed", Value::Null) if seen.calls.is_empty() => "stop",
            ("completed", Value::Null) => "tool_calls",
            ("incomplete", reason) if reason == "max_output_tokens" => "length",
            ("incomplete", reason) if reason == "content_filter" => "content_filter",
            other => panic!("no client knows {other:?}"),
        }
        .to_owned();
    let usage = &response["usage"];
    let number = |value: &Value| value.as_u64().expect("a count");
    assert!(usage["output_tokens_details"]["reasoning_tokens"].is_u64(), "{usage}");
    seen.usage = Some((
        number(&usage["input_tokens"]),
        number(&usage["output_tokens"]),
        number(&usage["input_tokens_details"]["cached_tokens"]),
    ));
    seen
}

/// The events of a stream, checked for what all have.
fn numbered(stream: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for (number, (name, data)) in (0_u64..).zip(events(stream)) {
        let event: Value = serde_json::from_str(&data).expect("JSON");
        assert_eq!(event["type"], name.as_str(), "an event is named by its data");
        assert_eq!(event["sequence_number"], number, "events are numbered");
        all.push(event);
    }
    all
}

/// Reads a stream, and checks the sequence of its events.
pub fn read_stream(stream: &str) -> Seen {
    let events = numbered(stream);
    let mut items: Vec<Value> = Vec::new();
    let mut done: Vec<bool> = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let name = event["type"].as_str().expect("a type");
        assert_eq!(number == 0, name == "response.created", "it begins once");
        assert_eq!(number == 1, name == "response.in_progress");
        let at = event["output_index"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(usize::MAX);
        if let Some(id) = event.get("item_id") {
            assert_eq!(*id, items[at]["id"], "an event is of its item");
            assert!(!done[at], "nothing follows the end of an item");
        }
        match name {
            "response.created" | "response.in_progress" => {
                assert_eq!(
                    (&event["response"]["status"], &event["response"]["output"]),
                    (&json!("in_progress"), &json!([]))
                );
            }
            "response.output_item.added" => {
                assert_eq!(at, items.len(), "items begin in their order");
                items.push(event["item"].clone());
                done.push(false);
            }
            "response.content_part.added" => items[at]["content"] = json!([event["part"]]),
            "response.reasoning_summary_part.added" => items[at]["summary"] = json!([event["part"]]),
            "response.output_text.delta" => append(&mut items[at]["content"][0]["text"], &event["delta"]),
            "response.reasoning_summary_text.delta" => {
                append(&mut items[at]["summary"][0]["text"], &event["delta"]);
            }
            "response.function_call_arguments.delta" => append(&mut items[at]["arguments"], &event["delta"]),
            "response.output_text.done" => assert_eq!(event["text"], items[at]["content"][0]["text"]),
            "response.content_part.done" => assert_eq!(event["part"], items[at]["content"][0]),
            "response.reasoning_summary_text.done" => {
                assert_eq!(event["text"], items[at]["summary"][0]["text"])
            }
            "response.reasoning_summary_part.done" => assert_eq!(event["part"], items[at]["summary"][0]),
            "response.function_call_arguments.done" => assert_eq!(event["arguments"], items[at]["arguments"]),
            "response.output_item.done" => {
                done[at] = true;
                if items[at].get("status").is_some() {
                    items[at]["status"] = event["item"]["status"].clone();
                }
                assert_eq!(event["item"], items[at], "an item is the sum of its deltas");
            }
            "response.completed" | "response.incomplete" => {
                assert!(done.iter().all(|done| *done), "a response ends behind its items");
                assert_eq!(event["response"]["output"], Value::Array(items));
                assert_eq!(number + 1, events.len(), "nothing follows the end");
                return read(&event["response"]);
            }
            "response.failed" => {
                assert_eq!(event["response"]["status"], "failed");
                let error = Some(text(&event["response"]["error"]["message"]));
                return Seen { error, text: texts(&items), ..Seen::default() };
            }
            other => panic!("no client knows {other}"),
        }
    }
    Seen { text: texts(&items), ..Seen::default() }
}

fn append(to: &mut Value, delta: &Value) {
    *to = (text(to) + delta.as_str().expect("text")).into();
}

fn texts(items: &[Value]) -> String {
    items.iter().filter_map(|item| item["content"][0]["text"].as_str()).collect()
}
