//! Anthropic's messages.

use serde_json::{Value, json};

use super::{ChatMessage, ChatRole, Finish, call, calls, items};

pub(super) fn parse_request(body: &Value) -> Vec<ChatMessage> {
    let mut all = Vec::new();
    let system = ChatMessage::of_parts(ChatRole::System, parts(&body["system"]));
    if !system.is_empty() {
        all.push(system);
    }
    for turn in items(&body["messages"]) {
        let content = blocks(&turn["content"]);
        match turn["role"].as_str() {
            Some("assistant") => all.push(assistant_message(&content)),
            Some("system") => all.push(ChatMessage::of_parts(ChatRole::System, parts(&turn["content"]))),
            Some(_) => push_user_messages(&content, &mut all),
            None => {}
        }
    }
    all
}

fn blocks(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![json!({ "type": "text", "text": text })],
        other => items(other).to_vec(),
    }
}

/// Converts blocks to OpenAI's content parts. A block without an equivalent is kept unchanged.
fn parts(content: &Value) -> Vec<Value> {
    blocks(content).iter().map(part).collect()
}

fn part(block: &Value) -> Value {
    let source = &block["source"];
    let data = || {
        let media_type = source["media_type"].as_str().unwrap_or_default();
        format!("data:{media_type};base64,{}", source["data"].as_str().unwrap_or_default())
    };
    match (block["type"].as_str(), source["type"].as_str()) {
        (Some("text"), _) => json!({ "type": "text", "text": block["text"] }),
        (Some("image"), Some("base64")) => json!({ "type": "image_url", "image_url": { "url": data() } }),
        (Some("image"), Some("url")) => json!({ "type": "image_url", "image_url": { "url": source["url"] } }),
        (Some("document"), Some("base64")) => {
            json!({ "type": "file", "file": { "filename": block["title"], "file_data": data() } })
        }
        _ => block.clone(),
    }
}

/// Converts a user turn: tool results become messages of their own, and come first.
fn push_user_messages(content: &[Value], all: &mut Vec<ChatMessage>) {
    let (results, rest): (Vec<&Value>, Vec<&Value>) =
        content.iter().partition(|block| block["type"] == "tool_result");
    for result in results {
        let mut message = ChatMessage::of_parts(ChatRole::Tool, parts(&result["content"]));
        if result["is_error"] == true {
            message.text = format!("Error: {}", message.text);
        }
        message.tool_call_id = result["tool_use_id"].as_str().map(str::to_owned);
        all.push(message);
    }
    if !rest.is_empty() {
        all.push(ChatMessage::of_parts(ChatRole::User, rest.into_iter().map(part).collect()));
    }
}

fn assistant_message(content: &[Value]) -> ChatMessage {
    let texts = content.iter().filter(|block| block["type"] == "text").map(part).collect();
    let uses = content.iter().filter(|block| block["type"] == "tool_use");
    let uses = uses.map(|block| call(&block["id"], &block["name"], &block["input"]));
    ChatMessage { tool_calls: calls(uses.collect()), ..ChatMessage::of_parts(ChatRole::Assistant, texts) }
}

pub(super) fn parse_response(response: &Value) -> (ChatMessage, Option<Finish>) {
    let finish = match response["stop_reason"].as_str() {
        Some("max_tokens" | "model_context_window_exceeded") => Some(Finish::Length),
        Some("tool_use") => Some(Finish::ToolCalls),
        Some("refusal") => Some(Finish::ContentFilter),
        Some(_) => Some(Finish::Stop),
        None => None,
    };
    (assistant_message(items(&response["content"])), finish)
}
