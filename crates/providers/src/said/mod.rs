//! What was said in a call, out of any of the clients' formats: one form, OpenAI's for chat completions, so that a
//! conversation can be kept whatever its client speaks.
//!
//! From the API references of OpenAI ("Chat", "Responses") and Anthropic ("Messages"). What has no place in it, such as a
//! model's thoughts, is left out.

mod chat;
mod message;
mod response;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Endpoint;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The application, to the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model used.
    Tool,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Who speaks.
    pub speaker: Speaker,
    /// Its text.
    pub text: String,
    /// OpenAI's content parts, where it isn't text alone.
    pub parts: Option<Value>,
    /// OpenAI's `tool_calls`, of a model that wants tools used.
    pub tool_calls: Option<Value>,
    /// The call that a tool's result is for.
    pub tool_call_id: Option<String>,
}

/// How a model says that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It had said what it had to say.
    Stop,
    /// At the limit of tokens.
    Length,
    /// To use tools.
    ToolCalls,
    /// Something was held back.
    ContentFilter,
}

impl Said {
    /// A message of text.
    pub fn text(speaker: Speaker, text: impl Into<String>) -> Self {
        Self { speaker, text: text.into(), parts: None, tool_calls: None, tool_call_id: None }
    }

    /// A message of parts: if all of them are text, of text.
    fn of_parts(speaker: Speaker, parts: Vec<Value>) -> Self {
        let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        // a model's text comes in parts that belong together
        let between = if speaker == Speaker::Assistant { "" } else { "\n" };
        let text = texts.join(between);
        let plain = parts.iter().all(|part| part["type"] == "text");
        Self { parts: (!plain).then_some(Value::Array(parts)), ..Self::text(speaker, text) }
    }

    /// Whether it says nothing at all.
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.parts.is_none() && self.tool_calls.is_none()
    }

    /// No database takes a NUL in a text: it becomes the character for what is none.
    fn storable(mut self) -> Self {
        replace_nul(&mut self.text);
        self.parts.iter_mut().for_each(without_nul);
        self.tool_calls.iter_mut().for_each(without_nul);
        self.tool_call_id.iter_mut().for_each(replace_nul);
        self
    }
}

/// The messages of a request, in their order.
pub fn asked(endpoint: Endpoint, request: &[u8]) -> Vec<Said> {
    let body: Value = serde_json::from_slice(request).unwrap_or_default();
    let all = match endpoint {
        Endpoint::ChatCompletions => chat::asked(&body),
        Endpoint::Messages => message::asked(&body),
        Endpoint::Responses => response::asked(&body),
        Endpoint::Embeddings => Vec::new(),
    };
    all.into_iter().map(Said::storable).collect()
}

/// What the model said in an answer, or in one put together from a stream, and how it says that it ended. Of an answer
/// that was cut there is what came.
pub fn answered(endpoint: Endpoint, answer: &Value) -> (Said, Option<Finish>) {
    let (said, finish) = match endpoint {
        Endpoint::ChatCompletions => chat::answered(answer),
        Endpoint::Messages => message::answered(answer),
        Endpoint::Responses => response::answered(answer),
        Endpoint::Embeddings => (Said::text(Speaker::Assistant, ""), None),
    };
    (said.storable(), finish)
}

/// A call of a function as OpenAI writes it.
fn call(id: &Value, name: &Value, arguments: impl Into<String>) -> Value {
    let arguments = arguments.into();
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

fn without_nul(value: &mut Value) {
    match value {
        Value::String(text) => replace_nul(text),
        Value::Array(items) => items.iter_mut().for_each(without_nul),
        Value::Object(fields) => {
            fields.retain(|name, _| !name.contains('\0'));
            fields.values_mut().for_each(without_nul);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
