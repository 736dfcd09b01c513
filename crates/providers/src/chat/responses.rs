//! OpenAI's responses.

use serde_json::{Value, json};

use super::{ChatMessage, ChatRole, Finish, call, items};

pub(super) fn parse_request(body: &Value) -> Vec<ChatMessage> {
    let mut all = Vec::new();
    if let Some(instructions) = body["instructions"].as_str().filter(|text| !text.is_empty()) {
        all.push(ChatMessage::text(ChatRole::System, instructions));
    }
    match &body["input"] {
        Value::String(text) => all.push(ChatMessage::text(ChatRole::User, text)),
        input => items(input).iter().for_each(|item| add(item, &mut all)),
    }
    all
}

/// Adds an item to the messages. A function call belongs to the preceding assistant message.
fn add(item: &Value, all: &mut Vec<ChatMessage>) {
    match item["type"].as_str() {
        Some("message") | None => {
            let role = match item["role"].as_str() {
                Some("system" | "developer") => ChatRole::System,
                Some("assistant") => ChatRole::Assistant,
                Some(_) => ChatRole::User,
                None => return,
            };
            all.push(match &item["content"] {
                Value::String(text) => ChatMessage::text(role, text),
                content => ChatMessage::of_parts(role, items(content).iter().map(part).collect()),
            });
        }
        Some("function_call" | "custom_tool_call") => {
            // a custom tool takes a text
            let arguments = match &item["input"] {
                Value::Null => item["arguments"].clone(),
                input => json!({ "input": input }),
            };
            let call = call(&item["call_id"], &item["name"], &arguments);
            match all.last_mut().filter(|last| last.role == ChatRole::Assistant) {
                Some(ChatMessage { tool_calls: Some(Value::Array(calls)), .. }) => calls.push(call),
                Some(last) => last.tool_calls = Some(json!([call])),
                None => {
                    let message = ChatMessage::text(ChatRole::Assistant, "");
                    all.push(ChatMessage { tool_calls: Some(json!([call])), ..message });
                }
            }
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            let mut message = match &item["output"] {
                Value::String(text) => ChatMessage::text(ChatRole::Tool, text),
                output => ChatMessage::of_parts(ChatRole::Tool, items(output).iter().map(part).collect()),
            };
            message.tool_call_id = item["call_id"].as_str().map(str::to_owned);
            all.push(message);
        }
        // reasoning, and calls of the provider's own tools
        Some(_) => {}
    }
}

/// Converts a part to chat completions' format. A part without an equivalent is kept unchanged.
fn part(part: &Value) -> Value {
    match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => json!({ "type": "text", "text": part["text"] }),
        Some("refusal") => json!({ "type": "text", "text": part["refusal"] }),
        Some("input_image") if part["image_url"].is_string() => {
            json!({ "type": "image_url", "image_url": { "url": part["image_url"] } })
        }
        Some("input_file") => {
            let field = |name: &str| (!part[name].is_null()).then(|| (name.to_owned(), part[name].clone()));
            let fields = ["filename", "file_data", "file_id"].into_iter().filter_map(field);
            json!({ "type": "file", "file": Value::Object(fields.collect()) })
        }
        _ => part.clone(),
    }
}

pub(super) fn parse_response(response: &Value) -> (ChatMessage, Option<Finish>) {
    let mut all = vec![ChatMessage::text(ChatRole::Assistant, "")];
    items(&response["output"]).iter().for_each(|item| add(item, &mut all));
    let message =
        all.into_iter().reduce(merge_messages).unwrap_or_else(|| ChatMessage::text(ChatRole::Assistant, ""));
    let finish = match (response["status"].as_str(), response["incomplete_details"]["reason"].as_str()) {
        (Some("completed"), _) if message.tool_calls.is_some() => Some(Finish::ToolCalls),
        (Some("completed"), _) => Some(Finish::Stop),
        (Some("incomplete"), Some("content_filter")) => Some(Finish::ContentFilter),
        (Some("incomplete"), _) => Some(Finish::Length),
        _ => None,
    };
    (message, finish)
}

/// Merges the messages of one response.
fn merge_messages(mut before: ChatMessage, after: ChatMessage) -> ChatMessage {
    before.text.push_str(&after.text);
    before.parts = before.parts.or(after.parts);
    match (&mut before.tool_calls, after.tool_calls) {
        (Some(Value::Array(calls)), Some(Value::Array(more))) => calls.extend(more),
        (none, more) => *none = none.take().or(more),
    }
    before
}
