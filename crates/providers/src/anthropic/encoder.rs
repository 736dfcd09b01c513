//! Encodes Anthropic's messages. `message_delta` carries the usage; it is zero if the provider sends none, as the field is required.

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};

use super::blocks::{BlockKind, Blocks};
use super::tool_ids::to_anthropic;
use super::usage::usage_json;
use crate::sse::write;
use crate::translate::{Encoder, ResponsePart, StopReason, response_id};
use crate::{ReportedError, ResponseError, Usage};

const PREFIX: &str = "msg_";

/// Encodes a response for one client.
pub(crate) struct MessagesEncoder {
    model: String,
    started: bool,
    blocks: Blocks,
    stop: Option<StopReason>,
    usage: Usage,
    extra: Map<String, Value>,
}

impl MessagesEncoder {
    /// `model` is the provider's name of the model.
    pub(crate) fn new(model: &str) -> Self {
        let model = model.to_owned();
        Self {
            model,
            started: false,
            blocks: Blocks::default(),
            stop: None,
            usage: Usage::default(),
            extra: Map::new(),
        }
    }

    fn message(&self, id: &str, content: Vec<Value>) -> Value {
        json!({
            "id": response_id(PREFIX, id), "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": null, "stop_sequence": null, "usage": usage_json(&Usage::default()),
        })
    }

    fn start(&mut self, id: &str, out: &mut BytesMut) {
        self.started = true;
        let mut message = self.message(id, Vec::new());
        std::mem::take(&mut self.extra).into_iter().for_each(|(name, value)| message[name] = value);
        write(out, Some("message_start"), &json!({"type": "message_start", "message": message}));
    }
}

fn finish_reason(stop: Option<&StopReason>) -> (&'static str, Value) {
    match stop {
        None | Some(StopReason::End) => ("end_turn", Value::Null),
        Some(StopReason::Sequence(text)) => ("stop_sequence", json!(text)),
        Some(StopReason::Length) => ("max_tokens", Value::Null),
        Some(StopReason::Tools) => ("tool_use", Value::Null),
        Some(StopReason::Filtered) => ("refusal", Value::Null),
    }
}

/// The block of a tool call, without its input.
fn tool_block(id: &str, name: &str) -> Value {
    json!({"type": "tool_use", "id": to_anthropic(id), "name": name, "input": {}})
}

/// Appends text to the last block if it is of the same type, otherwise starts a block.
fn append(content: &mut Vec<Value>, kind: &str, part: &str) {
    match content.last_mut() {
        Some(block) if block["type"] == kind => {
            if let Value::String(text) = &mut block[kind] {
                text.push_str(part);
            }
        }
        _ if kind == "thinking" => content.push(json!({"type": kind, kind: part, "signature": ""})),
        _ => content.push(json!({"type": kind, kind: part})),
    }
}

impl Encoder for MessagesEncoder {
    fn encode_complete(&mut self, parts: Vec<ResponsePart>) -> Result<Value, ResponseError> {
        let mut message = self.message("", Vec::new());
        let mut content = Vec::new();
        // index in the content and arguments of each tool call
        let mut calls: Vec<(usize, String)> = Vec::new();
        for part in parts {
            match part {
                ResponsePart::Start { id, model } => {
                    message["id"] = response_id(PREFIX, &id).into();
                    if !model.is_empty() {
                        message["model"] = model.into();
                    }
                }
                ResponsePart::Extra(kind, fields) => message[kind] = fields.into(),
                ResponsePart::Thinking(part) => append(&mut content, "thinking", &part),
                ResponsePart::Text(part) => append(&mut content, "text", &part),
                ResponsePart::Tool { id, name, .. } => {
                    calls.push((content.len(), String::new()));
                    content.push(tool_block(&id, &name));
                }
                ResponsePart::Arguments { index, json } => {
                    if let Some((_, arguments)) = calls.get_mut(index) {
                        arguments.push_str(&json);
                    }
                }
                ResponsePart::Stop(stop) => {
                    let (finish_reason, sequence) = finish_reason(Some(&stop));
                    message["stop_reason"] = finish_reason.into();
                    message["stop_sequence"] = sequence;
                }
                ResponsePart::Usage(usage) => message["usage"] = usage_json(&usage),
                ResponsePart::Error(_) | ResponsePart::End => {}
            }
        }
        for (at, arguments) in calls.into_iter().filter(|(_, arguments)| !arguments.trim().is_empty()) {
            let input: Map<String, Value> = serde_json::from_str(&arguments).map_err(|e| {
                ResponseError::invalid(format!("the arguments of a tool call are not a JSON object: {e}"))
            })?;
            content[at]["input"] = input.into();
        }
        message["content"] = content.into();
        if message["stop_reason"].is_null() {
            message["stop_reason"] = finish_reason(None).0.into();
        }
        Ok(message)
    }

    fn write(&mut self, part: ResponsePart, out: &mut BytesMut) -> Result<(), String> {
        match part {
            ResponsePart::Start { id, model } => {
                if !model.is_empty() {
                    self.model = model;
                }
                self.start(&id, out);
            }
            ResponsePart::Extra(kind, fields) => drop(self.extra.insert(kind.to_owned(), fields.into())),
            ResponsePart::Thinking(part) => {
                let start = || json!({"type": "thinking", "thinking": "", "signature": ""});
                self.blocks.begin(BlockKind::Thinking, start, out);
                self.blocks.add(BlockKind::Thinking, &part, out);
            }
            ResponsePart::Text(part) => {
                self.blocks.begin(BlockKind::Text, || json!({"type": "text", "text": ""}), out);
                self.blocks.add(BlockKind::Text, &part, out);
            }
            ResponsePart::Tool { index, id, name } => {
                self.blocks.begin(BlockKind::Tool(index), || tool_block(&id, &name), out);
            }
            ResponsePart::Arguments { index, json: part } => {
                if !self.blocks.add(BlockKind::Tool(index), &part, out) && !part.trim().is_empty() {
                    return Err("the provider continued a tool call whose arguments were complete".to_owned());
                }
            }
            ResponsePart::Stop(stop) => {
                self.blocks.end(out);
                self.stop = Some(stop);
            }
            ResponsePart::Usage(usage) => self.usage = usage,
            ResponsePart::Error(_) | ResponsePart::End => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut BytesMut) -> Bytes {
        if !self.started {
            self.start("", out);
        }
        self.blocks.end(out);
        let (finish_reason, sequence) = finish_reason(self.stop.as_ref());
        let mut delta = json!({
            "type": "message_delta", "delta": {"stop_reason": finish_reason, "stop_sequence": sequence},
            "usage": usage_json(&self.usage),
        });
        std::mem::take(&mut self.extra).into_iter().for_each(|(name, value)| delta[name] = value);
        write(out, Some("message_delta"), &delta);
        Bytes::from_static(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
    }

    fn error(&mut self, error: &ReportedError, out: &mut BytesMut) {
        let error = json!({"type": "error", "error": {"type": "api_error", "message": error.message}});
        write(out, Some("error"), &error);
    }
}
