//! The input items of a request as the messages of a chat completion.

use std::collections::{HashMap, HashSet, VecDeque};

use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::tools::{custom_arguments, function_name};
use crate::ChatDialect;
use crate::Feature;
use crate::body::{parts, required};
use crate::openai::arguments_text;

/// Items of tools that ran at a provider: they describe how a response came about, and no other provider can read them.
const LEFT_OUT: [&str; 8] = [
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
    "mcp_list_tools",
    "compaction",
    "context_compaction",
];

/// Collects the messages.
pub(super) struct Messages<'a> {
    dialect: &'a ChatDialect,
    all: Vec<Value>,
    /// The reasoning that precedes the next message of the assistant.
    reasoning: String,
    /// Images and files in results of tools: a tool message can't hold them, so the next user message does.
    held_back: Vec<Value>,
}

/// The messages of a request.
pub(super) fn messages(
    dialect: &ChatDialect,
    instructions: Option<&str>,
    input: Option<&Value>,
) -> Result<Vec<Value>> {
    let mut messages = Messages { dialect, all: Vec::new(), reasoning: String::new(), held_back: Vec::new() };
    if let Some(instructions) = instructions.filter(|text| !text.trim().is_empty()) {
        messages.system(instructions);
    }
    match input {
        None | Some(Value::Null) => return Err(Error::invalid("input", "is missing")),
        Some(Value::String(text)) => messages.all.push(json!({"role": "user", "content": text})),
        Some(Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                messages.item(item, &format!("input.{at}"))?;
            }
        }
        Some(_) => return Err(Error::invalid("input", "must be a string or a list of items")),
    }
    messages.flush();
    Ok(results_after_calls(messages.all))
}

impl Messages<'_> {
    fn item(&mut self, item: &Value, path: &str) -> Result<()> {
        let kind = match item.get("type") {
            None | Some(Value::Null) => "message",
            Some(_) => required(item, "type", path)?,
        };
        match kind {
            "message" => self.message(item, path),
            "reasoning" => {
                for part in
                    ["summary", "content"].into_iter().filter_map(|field| item[field].as_array()).flatten()
                {
                    self.reasoning.push_str(part["text"].as_str().unwrap_or_default());
                }
                Ok(())
            }
            "function_call" => {
                let arguments = arguments_text(&item["arguments"]);
                self.call(item, &arguments, path)
            }
            "custom_tool_call" => {
                let arguments = custom_arguments(required(item, "input", path)?);
                self.call(item, &arguments, path)
            }
            "function_call_output" | "custom_tool_call_output" => self.result(item, path),
            "item_reference" => Err(Error::invalid(
                format!("{path}.type"),
                "items are not stored one by one: send the item itself, or `previous_response_id`",
            )),
            kind if LEFT_OUT.contains(&kind) => Ok(()),
            _ => Err(Feature::Native.unsupported(self.dialect.kind, format!("{path}.type"))),
        }
    }

    fn message(&mut self, item: &Value, path: &str) -> Result<()> {
        let content = parts(item.get("content"), &format!("{path}.content"))?;
        let content = content
            .iter()
            .enumerate()
            .map(|(at, part)| self.part(part, &format!("{path}.content.{at}")))
            .collect::<Result<Vec<_>>>()?;
        match required(item, "role", path)? {
            "system" | "developer" => self.system(&texts(&content, "\n\n")),
            "assistant" => {
                let text = texts(&content, "");
                let message = self.assistant();
                let content = match message["content"].as_str().filter(|before| !before.is_empty()) {
                    Some(before) => format!("{before}\n\n{text}"),
                    None => text,
                };
                message["content"] = content.into();
            }
            "user" => {
                self.flush();
                self.user(content);
            }
            other => {
                let why = format!("there is no role `{other}`: use user, assistant, system or developer");
                return Err(Error::invalid(format!("{path}.role"), why));
            }
        }
        Ok(())
    }

    /// Instructions that follow others are one message, as some models accept only one at the start.
    fn system(&mut self, text: &str) {
        self.flush();
        match self.all.last_mut().filter(|last| last["role"] == "system") {
            Some(last) => {
                let before = last["content"].as_str().unwrap_or_default();
                last["content"] = format!("{before}\n\n{text}").into();
            }
            None => self.all.push(json!({"role": "system", "content": text})),
        }
    }

    fn user(&mut self, content: Vec<Value>) {
        // every server accepts a string, but not every one a list of text parts
        let content = match content.iter().all(|part| part["type"] == "text") {
            true => texts(&content, "\n\n").into(),
            false => Value::Array(content),
        };
        self.all.push(json!({"role": "user", "content": content}));
    }

    /// The assistant's message that an item belongs to: texts and calls between other messages are one.
    fn assistant(&mut self) -> &mut Value {
        self.flush();
        if self.all.last().is_none_or(|last| last["role"] != "assistant") {
            self.all.push(json!({"role": "assistant", "content": null}));
        }
        let last = self.all.len() - 1;
        let reasoning = std::mem::take(&mut self.reasoning);
        if self.dialect.resends_reasoning && !reasoning.is_empty() {
            self.all[last]["reasoning_content"] = reasoning.into();
        }
        &mut self.all[last]
    }

    fn call(&mut self, item: &Value, arguments: &str, path: &str) -> Result<()> {
        let (id, name) = (required(item, "call_id", path)?, required(item, "name", path)?);
        let name = function_name(item["namespace"].as_str(), name);
        let call = json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        match &mut self.assistant()["tool_calls"] {
            Value::Array(calls) => calls.push(call),
            none => *none = json!([call]),
        }
        Ok(())
    }

    fn result(&mut self, item: &Value, path: &str) -> Result<()> {
        let output = parts(item.get("output"), &format!("{path}.output"))?;
        let mut text_parts = Vec::new();
        for (at, part) in output.iter().enumerate() {
            let part = self.part(part, &format!("{path}.output.{at}"))?;
            if part["type"] == "text" { text_parts.push(part) } else { self.held_back.push(part) }
        }
        let id = required(item, "call_id", path)?;
        let content = texts(&text_parts, "\n\n");
        self.all.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
        Ok(())
    }

    fn flush(&mut self) {
        if !self.held_back.is_empty() {
            let content = std::mem::take(&mut self.held_back);
            self.user(content);
        }
    }

    /// A content part of a chat completion.
    fn part(&self, part: &Value, path: &str) -> Result<Value> {
        let native =
            |field: &str| Err(Feature::Native.unsupported(self.dialect.kind, format!("{path}.{field}")));
        match required(part, "type", path)? {
            "input_text" | "output_text" | "text" => {
                Ok(json!({"type": "text", "text": required(part, "text", path)?}))
            }
            "refusal" => Ok(json!({"type": "text", "text": required(part, "refusal", path)?})),
            // a file uploaded to one provider is not available to another
            "input_image" | "input_file" if part["file_id"].is_string() => native("file_id"),
            "input_image" => {
                let mut image = json!({"url": required(part, "image_url", path)?});
                if part["detail"].is_string() {
                    image["detail"] = part["detail"].clone();
                }
                Ok(json!({"type": "image_url", "image_url": image}))
            }
            "input_file" if part["file_url"].is_string() => native("file_url"),
            "input_file" => {
                let mut file = Map::new();
                if part["filename"].is_string() {
                    file.insert("filename".to_owned(), part["filename"].clone());
                }
                file.insert("file_data".to_owned(), required(part, "file_data", path)?.into());
                Ok(json!({"type": "file", "file": file}))
            }
            "input_audio" => Ok(part.clone()),
            other => Err(Error::invalid(format!("{path}.type"), format!("there is no part `{other}`"))),
        }
    }
}

fn texts(parts: &[Value], between: &str) -> String {
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(between)
}

/// The ids of the calls of a message.
fn call_ids(message: &Value) -> impl Iterator<Item = &str> {
    message["tool_calls"].as_array().into_iter().flatten().filter_map(|call| call["id"].as_str())
}

/// Moves the results of calls directly behind their calls, where providers require them: a client may send a user's
/// message, or another call, in between.
fn results_after_calls(messages: Vec<Value>) -> Vec<Value> {
    let called: HashSet<String> = messages.iter().flat_map(call_ids).map(str::to_owned).collect();
    let is_result = |message: &Value| message["tool_call_id"].as_str().is_some_and(|id| called.contains(id));
    let (results, others): (Vec<Value>, Vec<Value>) = messages.into_iter().partition(is_result);
    let mut waiting: HashMap<String, VecDeque<Value>> = HashMap::new();
    for result in results {
        let id = result["tool_call_id"].as_str().unwrap_or_default().to_owned();
        waiting.entry(id).or_default().push_back(result);
    }
    let mut sorted = Vec::new();
    for message in others {
        let mut results: Vec<Value> =
            call_ids(&message).filter_map(|id| waiting.get_mut(id).and_then(VecDeque::pop_front)).collect();
        sorted.push(message);
        sorted.append(&mut results);
    }
    sorted
}

#[cfg(test)]
mod tests;
