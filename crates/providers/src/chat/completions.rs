//! Chat completions.

use serde_json::Value;

use super::{ChatMessage, ChatRole, Finish, call, calls, items};

pub(super) fn parse_request(body: &Value) -> Vec<ChatMessage> {
    items(&body["messages"]).iter().filter_map(message).collect()
}

fn message(message: &Value) -> Option<ChatMessage> {
    let role = match message["role"].as_str()? {
        "system" | "developer" => ChatRole::System,
        "user" => ChatRole::User,
        "assistant" => ChatRole::Assistant,
        "tool" | "function" => ChatRole::Tool,
        _ => return None,
    };
    Some(ChatMessage {
        tool_calls: calls(items(&message["tool_calls"]).iter().map(tool_call).collect()),
        tool_call_id: message["tool_call_id"].as_str().map(str::to_owned),
        ..content(role, message)
    })
}

fn content(role: ChatRole, message: &Value) -> ChatMessage {
    match &message["content"] {
        Value::String(text) => ChatMessage::text(role, text),
        // reasoning is not part of a message's content
        Value::Array(parts) => {
            let parts = parts.iter().filter(|part| part["type"] != "thinking").cloned();
            ChatMessage::of_parts(role, parts.collect())
        }
        _ => ChatMessage::text(role, message["refusal"].as_str().unwrap_or_default()),
    }
}

/// Converts a tool call, without the stream-only `index`. Tools of other types are kept unchanged.
fn tool_call(one: &Value) -> Value {
    match one["function"].is_object() {
        true => {
            let function = &one["function"];
            call(&one["id"], &function["name"], &function["arguments"])
        }
        false => one.clone(),
    }
}

pub(super) fn parse_response(response: &Value) -> (ChatMessage, Option<Finish>) {
    // only the first of several choices
    let choice = &response["choices"][0];
    let message = &choice["message"];
    let has_calls = !items(&message["tool_calls"]).is_empty();
    let finish = match choice["finish_reason"].as_str() {
        Some("length" | "model_length") => Some(Finish::Length),
        Some("tool_calls" | "function_call") => Some(Finish::ToolCalls),
        Some("content_filter") => Some(Finish::ContentFilter),
        // some servers send `stop` although there are tool calls
        Some(_) if has_calls => Some(Finish::ToolCalls),
        Some(_) => Some(Finish::Stop),
        None => None,
    };
    let parsed = ChatMessage {
        tool_calls: calls(items(&message["tool_calls"]).iter().map(tool_call).collect()),
        ..content(ChatRole::Assistant, message)
    };
    (parsed, finish)
}
