//! The chat messages of a call, from any of the clients' formats, in one form: that of OpenAI's chat completions. So
//! conversations are stored the same whatever their client speaks.
//!
//! Source: the API references of OpenAI ("Chat", "Responses") and Anthropic ("Messages"). What chat completions can't
//! represent, such as reasoning, is left out.

mod completions;
mod messages;
mod responses;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Endpoint;
use crate::openai::arguments_text;

/// The role of a message's author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    /// The application.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model used.
    Tool,
}

/// A chat message.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatMessage {
    /// The role of a message's author.
    pub role: ChatRole,
    /// The text.
    pub text: String,
    /// OpenAI's content parts; none if the message is text only.
    pub parts: Option<Value>,
    /// OpenAI's `tool_calls`, of an assistant message.
    pub tool_calls: Option<Value>,
    /// The tool call that a tool message is the result of.
    pub tool_call_id: Option<String>,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It finished.
    Stop,
    /// It reached the token limit.
    Length,
    /// It called tools.
    ToolCalls,
    /// The content was filtered.
    ContentFilter,
}

impl ChatMessage {
    /// A text message.
    pub fn text(role: ChatRole, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), parts: None, tool_calls: None, tool_call_id: None }
    }

    /// A message from parts; a text message if all of them are text.
    fn of_parts(role: ChatRole, parts: Vec<Value>) -> Self {
        let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        // the text of an assistant message is continuous across parts
        let between = if role == ChatRole::Assistant { "" } else { "\n" };
        let text = texts.join(between);
        let plain = parts.iter().all(|part| part["type"] == "text");
        Self { parts: (!plain).then_some(Value::Array(parts)), ..Self::text(role, text) }
    }

    /// Whether it has no content.
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.parts.is_none() && self.tool_calls.is_none()
    }

    /// Replaces NUL, which PostgreSQL can't store, by U+FFFD.
    fn storable(mut self) -> Self {
        replace_nul(&mut self.text);
        self.parts.iter_mut().for_each(replace_nuls);
        self.tool_calls.iter_mut().for_each(replace_nuls);
        self.tool_call_id.iter_mut().for_each(replace_nul);
        self
    }
}

/// Parses the messages of a request, in their order.
pub fn parse_request(endpoint: Endpoint, request: &[u8]) -> Vec<ChatMessage> {
    let body: Value = serde_json::from_slice(request).unwrap_or_default();
    let all = match endpoint {
        Endpoint::ChatCompletions => completions::parse_request(&body),
        Endpoint::Messages => messages::parse_request(&body),
        Endpoint::Responses => responses::parse_request(&body),
        _ => Vec::new(),
    };
    all.into_iter().map(ChatMessage::storable).collect()
}

/// Parses the message of a response, or of one assembled from a stream, and its finish reason. A truncated response
/// gives the part that arrived.
pub fn parse_response(endpoint: Endpoint, response: &Value) -> (ChatMessage, Option<Finish>) {
    let (message, finish) = match endpoint {
        Endpoint::ChatCompletions => completions::parse_response(response),
        Endpoint::Messages => messages::parse_response(response),
        Endpoint::Responses => responses::parse_response(response),
        _ => (ChatMessage::text(ChatRole::Assistant, ""), None),
    };
    (message.storable(), finish)
}

/// A function call in OpenAI's format. The arguments of a truncated call are a string that isn't JSON.
fn call(id: &Value, name: &Value, arguments: &Value) -> Value {
    let arguments = arguments_text(arguments);
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

fn calls(calls: Vec<Value>) -> Option<Value> {
    (!calls.is_empty()).then_some(Value::Array(calls))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn replace_nul(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

fn replace_nuls(value: &mut Value) {
    match value {
        Value::String(text) => replace_nul(text),
        Value::Array(items) => items.iter_mut().for_each(replace_nuls),
        Value::Object(fields) => {
            fields.retain(|name, _| !name.contains('\0'));
            fields.values_mut().for_each(replace_nuls);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
