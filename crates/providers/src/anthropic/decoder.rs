//! Decodes Anthropic's messages.

use serde_json::Value;

use super::usage::WireUsage;
use crate::translate::{Decoder, ResponsePart, StopReason, text_of};
use crate::{ReportedError, ResponseError, Usage};

/// Decodes one message.
#[derive(Default)]
pub(crate) struct MessagesDecoder {
    usage: WireUsage,
    /// The block index of each tool call.
    calls: Vec<u64>,
}

impl MessagesDecoder {
    /// A block of a message; in a stream, its start.
    fn block(&mut self, at: u64, block: &Value, out: &mut Vec<ResponsePart>) {
        let text = |field: &str| Some(text_of(&block[field])).filter(|text| !text.is_empty());
        match block["type"].as_str() {
            Some("text") => out.extend(text("text").map(ResponsePart::Text)),
            Some("thinking") => out.extend(text("thinking").map(ResponsePart::Thinking)),
            Some("tool_use") => {
                let index = self.calls.len();
                self.calls.push(at);
                out.push(ResponsePart::Tool {
                    index,
                    id: text_of(&block["id"]),
                    name: text_of(&block["name"]),
                });
                // in a stream it is empty here, and arrives in deltas
                if block["input"].as_object().is_some_and(|input| !input.is_empty()) {
                    out.push(ResponsePart::Arguments { index, json: block["input"].to_string() });
                }
            }
            // redacted thinking is encrypted, and the provider's own tools can't be requested here
            _ => {}
        }
    }

    fn delta(&self, at: u64, delta: &Value, out: &mut Vec<ResponsePart>) {
        match delta["type"].as_str() {
            Some("text_delta") => out.push(ResponsePart::Text(text_of(&delta["text"]))),
            Some("thinking_delta") => out.push(ResponsePart::Thinking(text_of(&delta["thinking"]))),
            Some("input_json_delta") => {
                let json = text_of(&delta["partial_json"]);
                if let Some(index) =
                    self.calls.iter().position(|block| *block == at).filter(|_| !json.is_empty())
                {
                    out.push(ResponsePart::Arguments { index, json });
                }
            }
            // a chat completion can't represent signatures and citations
            _ => {}
        }
    }

    fn count(&mut self, usage: &Value) -> bool {
        match serde_json::from_value::<WireUsage>(usage.clone()) {
            Ok(usage) => {
                self.usage.update(usage);
                true
            }
            Err(_) => false,
        }
    }
}

fn stop(message: &Value) -> Option<StopReason> {
    Some(match message["stop_reason"].as_str()? {
        "stop_sequence" => StopReason::Sequence(text_of(&message["stop_sequence"])),
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "tool_use" => StopReason::Tools,
        "refusal" => StopReason::Filtered,
        _ => StopReason::End,
    })
}

impl Decoder for MessagesDecoder {
    fn decode_complete(&mut self, body: &[u8]) -> Result<Vec<ResponsePart>, ResponseError> {
        let message: Value =
            serde_json::from_slice(body).map_err(|error| ResponseError::unreadable(body, &error))?;
        if let Some(reported) = ReportedError::of(&message) {
            return Err(ResponseError::Reported(reported));
        }
        let content = message["content"]
            .as_array()
            .ok_or_else(|| ResponseError::without_content(&message, "it has no content"))?;
        let mut out =
            vec![ResponsePart::Start { id: text_of(&message["id"]), model: text_of(&message["model"]) }];
        for (at, block) in (0..).zip(content) {
            self.block(at, block, &mut out);
        }
        out.extend(stop(&message).map(ResponsePart::Stop));
        if self.count(&message["usage"]) {
            out.push(ResponsePart::Usage(self.usage.into()));
        }
        Ok(out)
    }

    fn event(&mut self, data: &[u8], out: &mut Vec<ResponsePart>) {
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
        let at = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str() {
            Some("message_start") => {
                let message = &event["message"];
                self.count(&message["usage"]);
                out.push(ResponsePart::Start {
                    id: text_of(&message["id"]),
                    model: text_of(&message["model"]),
                });
            }
            Some("content_block_start") => self.block(at, &event["content_block"], out),
            Some("content_block_delta") => self.delta(at, &event["delta"], out),
            Some("message_delta") => {
                out.extend(stop(&event["delta"]).map(ResponsePart::Stop));
                if self.count(&event["usage"]) {
                    out.push(ResponsePart::Usage(Usage::from(self.usage)));
                }
            }
            Some("message_stop") => out.push(ResponsePart::End),
            _ => out.extend(ReportedError::of(&event).map(ResponsePart::Error)),
        }
    }
}
