//! Assembles the events of a stream into the response that would have come without streaming, in the client's format,
//! which is detected from the events.

use serde_json::{Map, Value, json};

use crate::openai::assemble_chunks;
use crate::sse::recorded;

/// Assembles OpenAI's chunks, Anthropic's events, those of OpenAI's Responses API, or those of speech, transcriptions
/// and images. A truncated
/// stream gives the part that arrived.
pub fn assemble(stream: &str) -> Value {
    let kind = events(stream).find_map(|event| event["type"].as_str().map(str::to_owned));
    match kind.as_deref() {
        Some(kind) if kind.starts_with("response.") => assemble_response(stream),
        Some("message_start" | "ping" | "error") => assemble_message(stream),
        Some(kind) if kind.starts_with("content_block_") => assemble_message(stream),
        Some(kind) if RESULT_EVENTS.iter().any(|prefix| kind.starts_with(prefix)) => assemble_result(stream),
        _ => assemble_chunks(stream),
    }
}

/// The beginnings of the types of events of transcriptions, speech and images.
const RESULT_EVENTS: [&str; 3] = ["transcript.", "speech.", "image_generation."];

/// The last event holds the result. Of a truncated stream, the text that arrived.
fn assemble_result(stream: &str) -> Value {
    let mut text = String::new();
    for event in events(stream) {
        let kind = event["type"].as_str().unwrap_or_default();
        if kind.ends_with(".done") || kind.ends_with(".completed") {
            return event;
        }
        text.push_str(event["delta"].as_str().unwrap_or_default());
    }
    json!({ "text": text })
}

fn events(stream: &str) -> impl Iterator<Item = Value> {
    recorded(stream.as_bytes()).filter_map(|data| serde_json::from_slice(&data).ok())
}

fn assemble_message(stream: &str) -> Value {
    let mut message = json!({"type": "message", "role": "assistant"});
    let mut content: Vec<Value> = Vec::new();
    for event in events(stream) {
        match event["type"].as_str() {
            Some("message_start") => update(&mut message, &event["message"]),
            Some("content_block_start") => content.push(event["content_block"].clone()),
            Some("content_block_delta") => {
                let at = event["index"].as_u64().and_then(|index| usize::try_from(index).ok());
                if let Some(block) = at.and_then(|at| content.get_mut(at)) {
                    add(block, &event["delta"]);
                }
            }
            Some("message_delta") => {
                update(&mut message, &event["delta"]);
                update(&mut message["usage"], &event["usage"]);
            }
            Some("error") => message["error"] = event["error"].clone(),
            _ => {}
        }
    }
    for block in &mut content {
        if let Some(json) = block.as_object_mut().and_then(|block| block.remove("partial_json")) {
            let json = json.as_str().unwrap_or_default();
            // the arguments of a truncated call are not valid JSON: keep their text
            block["input"] = serde_json::from_str(json).unwrap_or_else(|_| json.into());
        }
    }
    message["content"] = content.into();
    message
}

/// Later fields replace earlier ones.
fn update(into: &mut Value, later: &Value) {
    if into.is_null() {
        *into = json!({});
    }
    for (name, value) in later.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}

fn add(block: &mut Value, delta: &Value) {
    for field in ["text", "thinking", "signature", "partial_json"] {
        if let Some(more) = delta[field].as_str() {
            match block.get_mut(field) {
                Some(Value::String(text)) => text.push_str(more),
                _ => block[field] = more.into(),
            }
        }
    }
    if delta["type"] == "citations_delta" {
        match block.get_mut("citations") {
            Some(Value::Array(citations)) => citations.push(delta["citation"].clone()),
            _ => block["citations"] = json!([delta["citation"]]),
        }
    }
}

/// The last event holds the complete response. A truncated stream is assembled from its items.
fn assemble_response(stream: &str) -> Value {
    let mut response = json!({});
    let mut items: Map<String, Value> = Map::new();
    for event in events(stream) {
        let kind = event["type"].as_str().unwrap_or_default();
        if event["response"].is_object() {
            response = event["response"].clone();
        }
        if matches!(kind, "response.completed" | "response.incomplete" | "response.failed") {
            return response;
        }
        let at = event["output_index"].to_string();
        match kind {
            "response.output_item.added" | "response.output_item.done" => {
                drop(items.insert(at, event["item"].clone()));
            }
            "response.output_text.delta" => {
                let item = items.entry(at).or_insert_with(|| json!({}));
                let so_far = item["content"][0]["text"].as_str().unwrap_or_default();
                let text = so_far.to_owned() + event["delta"].as_str().unwrap_or_default();
                item["content"] = json!([{"type": "output_text", "text": text}]);
            }
            "response.function_call_arguments.delta" => {
                let item = items.entry(at).or_insert_with(|| json!({}));
                let so_far = item["arguments"].as_str().unwrap_or_default();
                item["arguments"] = (so_far.to_owned() + event["delta"].as_str().unwrap_or_default()).into();
            }
            "error" => response["error"] = event.clone(),
            _ => {}
        }
    }
    response["output"] = items.into_iter().map(|(_, item)| item).collect();
    response
}
