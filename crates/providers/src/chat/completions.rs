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
        Value::Array(parts) => ChatMessage::of_parts(role, parts.clone()),
        _ => ChatMessage::text(role, message["refusal"].as_str().unwrap_or_default()),
    }
}

/// Converts a tool call, without the stream-only `index`. Tools of other types are kept unchanged.
fn tool_call(one: &Value) -> Value {
    match one["function"].is_object() {
        true => {
            let function = &one["function"];
            call(&one["id"], &function["name"], function["arguments"].as_str().unwrap_or_default())
        }
        false => one.clone(),
    }
}

pub(super) fn parse_response(response: &Value) -> (ChatMessage, Option<Finish>) {
    // only the first of several choices
    let choice = &response["choices"][0];
    let finish = match choice["finish_reason"].as_str() {
        Some("stop") => Some(Finish::Stop),
        Some("length") => Some(Finish::Length),
        Some("tool_calls" | "function_call") => Some(Finish::ToolCalls),
        Some("content_filter") => Some(Finish::ContentFilter),
        Some(_) => Some(Finish::Stop),
        None => None,
    };
    let message = &choice["message"];
    let parsed = ChatMessage {
        tool_calls: calls(items(&message["tool_calls"]).iter().map(tool_call).collect()),
        ..content(ChatRole::Assistant, message)
    };
    (parsed, finish)
}
