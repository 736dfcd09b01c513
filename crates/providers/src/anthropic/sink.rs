//! Writes messages from pieces.
//!
//! A stream's blocks come one after the other, unlike the parts of a chat completion: a block ends when another begins.
//! The counts come with `message_delta`; a provider that sends none has them as zeros there, as the field must not be
//! missing.

use bytes::{Bytes, BytesMut};
use loam_kernel::Result;
use serde_json::{Map, Value, json};

use super::usage::counted;
use crate::Usage;
use crate::piece::{Piece, Sink, Stop, answer_id, not_an_answer};
use crate::sse::write;

const PREFIX: &str = "msg_";

/// The block that is being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
    Tool(usize),
}

/// Writes an answer for one client.
pub(crate) struct MessagesSink {
    model: String,
    started: bool,
    open: Option<Block>,
    /// How many blocks have begun.
    blocks: usize,
    stop: Option<Stop>,
    usage: Usage,
    extra: Map<String, Value>,
}

impl MessagesSink {
    /// For a client that asked a model by the provider's name for it.
    pub(crate) fn new(model: &str) -> Self {
        let model = model.to_owned();
        Self {
            model,
            started: false,
            open: None,
            blocks: 0,
            stop: None,
            usage: Usage::default(),
            extra: Map::new(),
        }
    }

    fn message(&self, id: &str, content: Vec<Value>) -> Value {
        json!({
            "id": answer_id(PREFIX, id), "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": null, "stop_sequence": null, "usage": counted(&Usage::default()),
        })
    }

    fn start(&mut self, id: &str, out: &mut BytesMut) {
        self.started = true;
        let mut message = self.message(id, Vec::new());
        std::mem::take(&mut self.extra).into_iter().for_each(|(name, value)| message[name] = value);
        write(out, Some("message_start"), &json!({"type": "message_start", "message": message}));
    }

    fn close(&mut self, out: &mut BytesMut) {
        if self.open.take().is_some() {
            let end = json!({"type": "content_block_stop", "index": self.blocks - 1});
            write(out, Some("content_block_stop"), &end);
        }
    }

    fn open(&mut self, block: Block, content: Value, out: &mut BytesMut) {
        if self.open == Some(block) {
            return;
        }
        self.close(out);
        let start = json!({"type": "content_block_start", "index": self.blocks, "content_block": content});
        write(out, Some("content_block_start"), &start);
        self.blocks += 1;
        self.open = Some(block);
    }

    fn delta(&self, delta: Value, out: &mut BytesMut) {
        let delta = json!({"type": "content_block_delta", "index": self.blocks - 1, "delta": delta});
        write(out, Some("content_block_delta"), &delta);
    }
}

fn reason(stop: Option<&Stop>) -> (&'static str, Value) {
    match stop {
        None | Some(Stop::End) => ("end_turn", Value::Null),
        Some(Stop::Sequence(text)) => ("stop_sequence", json!(text)),
        Some(Stop::Length) => ("max_tokens", Value::Null),
        Some(Stop::Tools) => ("tool_use", Value::Null),
        Some(Stop::Filtered) => ("refusal", Value::Null),
    }
}

/// Text goes on in the block that it began, if that is still the last.
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

impl Sink for MessagesSink {
    fn whole(&self, pieces: Vec<Piece>) -> Result<Value> {
        let mut message = self.message("", Vec::new());
        let mut content = Vec::new();
        // for each call its place in the content, and its arguments
        let mut calls: Vec<(usize, String)> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Start { id, model } => {
                    message["id"] = answer_id(PREFIX, &id).into();
                    if !model.is_empty() {
                        message["model"] = model.into();
                    }
                }
                Piece::Extra(kind, fields) => message[kind] = fields.into(),
                Piece::Thinking(part) => append(&mut content, "thinking", &part),
                Piece::Text(part) => append(&mut content, "text", &part),
                Piece::Tool { id, name, .. } => {
                    calls.push((content.len(), String::new()));
                    content.push(json!({"type": "tool_use", "id": id, "name": name, "input": {}}));
                }
                Piece::Arguments { index, json } => {
                    if let Some((_, arguments)) = calls.get_mut(index) {
                        arguments.push_str(&json);
                    }
                }
                Piece::Stop(stop) => {
                    let (reason, sequence) = reason(Some(&stop));
                    message["stop_reason"] = reason.into();
                    message["stop_sequence"] = sequence;
                }
                Piece::Usage(usage) => message["usage"] = counted(&usage),
                Piece::Error(_) | Piece::End => {}
            }
        }
        for (at, arguments) in calls.into_iter().filter(|(_, arguments)| !arguments.trim().is_empty()) {
            let input: Map<String, Value> = serde_json::from_str(&arguments).map_err(|e| {
                not_an_answer(format!("the arguments of a tool call are no JSON object: {e}"))
            })?;
            content[at]["input"] = input.into();
        }
        message["content"] = content.into();
        if message["stop_reason"].is_null() {
            message["stop_reason"] = reason(None).0.into();
        }
        Ok(message)
    }

    fn write(&mut self, piece: Piece, out: &mut BytesMut) -> Result<(), String> {
        match piece {
            Piece::Start { id, model } => {
                if !model.is_empty() {
                    self.model = model;
                }
                self.start(&id, out);
            }
            Piece::Extra(kind, fields) => drop(self.extra.insert(kind.to_owned(), fields.into())),
            Piece::Thinking(part) => {
                self.open(Block::Thinking, json!({"type": "thinking", "thinking": "", "signature": ""}), out);
                self.delta(json!({"type": "thinking_delta", "thinking": part}), out);
            }
            Piece::Text(part) => {
                self.open(Block::Text, json!({"type": "text", "text": ""}), out);
                self.delta(json!({"type": "text_delta", "text": part}), out);
            }
            Piece::Tool { index, id, name } => {
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.open(Block::Tool(index), block, out);
            }
            Piece::Arguments { index, json: part } => {
                // all providers write one call after the other; a client could not be told otherwise
                if self.open != Some(Block::Tool(index)) {
                    return Err("the provider went on with a tool call after it had begun another".to_owned());
                }
                self.delta(json!({"type": "input_json_delta", "partial_json": part}), out);
            }
            Piece::Stop(stop) => {
                self.close(out);
                self.stop = Some(stop);
            }
            Piece::Usage(usage) => self.usage = usage,
            Piece::Error(_) | Piece::End => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut BytesMut) -> Bytes {
        if !self.started {
            self.start("", out);
        }
        self.close(out);
        let (reason, sequence) = reason(self.stop.as_ref());
        let mut delta = json!({
            "type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence},
            "usage": counted(&self.usage),
        });
        std::mem::take(&mut self.extra).into_iter().for_each(|(name, value)| delta[name] = value);
        write(out, Some("message_delta"), &delta);
        Bytes::from_static(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
    }

    fn error(&self, message: &str, out: &mut BytesMut) {
        let error = json!({"type": "error", "error": {"type": "api_error", "message": message}});
        write(out, Some("error"), &error);
    }
}
