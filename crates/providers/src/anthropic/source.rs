//! Reads messages into pieces.

use loam_kernel::Result;
use serde_json::Value;

use super::usage::Counted;
use crate::Usage;
use crate::piece::{Piece, Source, Stop, not_an_answer, text_of};

/// Reads one message.
#[derive(Default)]
pub(crate) struct MessagesSource {
    counted: Counted,
    /// Which block of the message each tool call is.
    calls: Vec<u64>,
}

impl MessagesSource {
    /// A block of a message; of a stream's, its beginning.
    fn block(&mut self, at: u64, block: &Value, out: &mut Vec<Piece>) {
        let text = |field: &str| Some(text_of(&block[field])).filter(|text| !text.is_empty());
        match block["type"].as_str() {
            Some("text") => out.extend(text("text").map(Piece::Text)),
            Some("thinking") => out.extend(text("thinking").map(Piece::Thinking)),
            Some("tool_use") => {
                let index = self.calls.len();
                self.calls.push(at);
                out.push(Piece::Tool { index, id: text_of(&block["id"]), name: text_of(&block["name"]) });
                // in a stream it is empty here, and comes in deltas
                if block["input"].as_object().is_some_and(|input| !input.is_empty()) {
                    out.push(Piece::Arguments { index, json: block["input"].to_string() });
                }
            }
            // redacted thoughts are unreadable, and blocks of the provider's own tools can't have been asked for
            _ => {}
        }
    }

    fn delta(&self, at: u64, delta: &Value, out: &mut Vec<Piece>) {
        match delta["type"].as_str() {
            Some("text_delta") => out.push(Piece::Text(text_of(&delta["text"]))),
            Some("thinking_delta") => out.push(Piece::Thinking(text_of(&delta["thinking"]))),
            Some("input_json_delta") => {
                let json = text_of(&delta["partial_json"]);
                if let Some(index) =
                    self.calls.iter().position(|block| *block == at).filter(|_| !json.is_empty())
                {
                    out.push(Piece::Arguments { index, json });
                }
            }
            // signatures and citations have no place in a chat completion
            _ => {}
        }
    }

    fn count(&mut self, usage: &Value) -> bool {
        match serde_json::from_value::<Counted>(usage.clone()) {
            Ok(counted) => {
                self.counted.update(counted);
                true
            }
            Err(_) => false,
        }
    }
}

fn stop(message: &Value) -> Option<Stop> {
    Some(match message["stop_reason"].as_str()? {
        "stop_sequence" => Stop::Sequence(text_of(&message["stop_sequence"])),
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Tools,
        "refusal" => Stop::Filtered,
        _ => Stop::End,
    })
}

impl Source for MessagesSource {
    fn whole(&mut self, body: &[u8]) -> Result<Vec<Piece>> {
        let message: Value = serde_json::from_slice(body).map_err(not_an_answer)?;
        let content = message["content"].as_array().ok_or_else(|| not_an_answer("it has no content"))?;
        let mut out = vec![Piece::Start { id: text_of(&message["id"]), model: text_of(&message["model"]) }];
        for (at, block) in (0..).zip(content) {
            self.block(at, block, &mut out);
        }
        out.extend(stop(&message).map(Piece::Stop));
        if self.count(&message["usage"]) {
            out.push(Piece::Usage(self.counted.into()));
        }
        Ok(out)
    }

    fn event(&mut self, _name: &[u8], data: &[u8], out: &mut Vec<Piece>) {
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
        let at = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str() {
            Some("message_start") => {
                let message = &event["message"];
                self.count(&message["usage"]);
                out.push(Piece::Start { id: text_of(&message["id"]), model: text_of(&message["model"]) });
            }
            Some("content_block_start") => self.block(at, &event["content_block"], out),
            Some("content_block_delta") => self.delta(at, &event["delta"], out),
            Some("message_delta") => {
                out.extend(stop(&event["delta"]).map(Piece::Stop));
                if self.count(&event["usage"]) {
                    out.push(Piece::Usage(Usage::from(self.counted)));
                }
            }
            Some("message_stop") => out.push(Piece::End),
            Some("error") => out.push(Piece::Error(text_of(&event["error"]["message"]))),
            _ => {}
        }
    }
}
