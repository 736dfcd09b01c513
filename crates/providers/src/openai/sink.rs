//! Writes chat completions from pieces, after the API reference, "Chat completions"
//! (platform.openai.com/docs/api-reference/chat). Thoughts are `reasoning_content`, as DeepSeek and Qwen name them and
//! as clients know them.

use bytes::{Bytes, BytesMut};
use loam_kernel::{Clock, Result};
use serde_json::{Map, Value, json};

use crate::Usage;
use crate::piece::{Piece, Sink, Stop, answer_id};
use crate::sse::write;

const PREFIX: &str = "chatcmpl-";

/// Writes an answer for one client.
pub(crate) struct ChatSink {
    id: String,
    model: String,
    /// Seconds since 1970.
    created: i64,
    wants_usage: bool,
    /// The last that came: a provider may count more than once.
    usage: Option<Usage>,
    extra: Map<String, Value>,
}

impl ChatSink {
    /// For a client that asked a model by the provider's name for it.
    pub(crate) fn new(model: &str, wants_usage: bool) -> Self {
        let created = Clock::system().now().timestamp();
        Self {
            id: String::new(),
            model: model.to_owned(),
            created,
            wants_usage,
            usage: None,
            extra: Map::new(),
        }
    }

    fn chunk(&self, choices: Value, out: &mut BytesMut, more: Map<String, Value>) {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices,
        });
        more.into_iter().for_each(|(name, value)| chunk[name] = value);
        write(out, None, &chunk);
    }

    fn delta(&self, delta: Value, out: &mut BytesMut) {
        self.chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), out, Map::new());
    }
}

fn reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence(_) => "stop",
        Stop::Length => "length",
        Stop::Tools => "tool_calls",
        Stop::Filtered => "content_filter",
    }
}

fn counted(usage: &Usage) -> Value {
    let mut details = json!({"cached_tokens": usage.cached_tokens});
    if usage.cache_write_tokens > 0 {
        details["cache_write_tokens"] = usage.cache_write_tokens.into();
    }
    json!({
        "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens, "prompt_tokens_details": details,
    })
}

impl Sink for ChatSink {
    fn whole(&self, pieces: Vec<Piece>) -> Result<Value> {
        let mut answer = json!({
            "id": "", "object": "chat.completion", "created": self.created, "model": self.model,
        });
        let (mut text, mut thoughts, mut calls, mut finish) =
            (String::new(), String::new(), Vec::new(), "stop");
        for piece in pieces {
            match piece {
                Piece::Start { id, model } => {
                    answer["id"] = answer_id(PREFIX, &id).into();
                    if !model.is_empty() {
                        answer["model"] = model.into();
                    }
                }
                Piece::Extra(kind, fields) => answer[kind] = fields.into(),
                Piece::Thinking(part) => thoughts.push_str(&part),
                Piece::Text(part) => text.push_str(&part),
                Piece::Tool { id, name, .. } => calls.push((id, name, String::new())),
                Piece::Arguments { index, json } => {
                    if let Some(call) = calls.get_mut(index) {
                        call.2.push_str(&json);
                    }
                }
                Piece::Stop(stop) => finish = reason(&stop),
                Piece::Usage(usage) => answer["usage"] = counted(&usage),
                Piece::Error(_) | Piece::End => {}
            }
        }
        let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { text.into() };
        let mut message = json!({"role": "assistant", "content": content, "refusal": null});
        if !thoughts.is_empty() {
            message["reasoning_content"] = thoughts.into();
        }
        if !calls.is_empty() {
            let call = |(id, name, arguments): (String, String, String)| {
                let arguments = if arguments.is_empty() { "{}".to_owned() } else { arguments };
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
            };
            message["tool_calls"] = calls.into_iter().map(call).collect();
        }
        answer["choices"] =
            json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}]);
        Ok(answer)
    }

    fn write(&mut self, piece: Piece, out: &mut BytesMut) -> Result<(), String> {
        match piece {
            Piece::Start { id, model } => {
                self.id = answer_id(PREFIX, &id);
                if !model.is_empty() {
                    self.model = model;
                }
                let delta = json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]);
                let extra = std::mem::take(&mut self.extra);
                self.chunk(delta, out, extra);
            }
            Piece::Extra(kind, fields) => drop(self.extra.insert(kind.to_owned(), fields.into())),
            Piece::Thinking(part) => self.delta(json!({"reasoning_content": part}), out),
            Piece::Text(part) => self.delta(json!({"content": part}), out),
            Piece::Tool { index, id, name } => {
                let call = json!({"index": index, "id": id, "type": "function",
                    "function": {"name": name, "arguments": ""}});
                self.delta(json!({"tool_calls": [call]}), out);
            }
            Piece::Arguments { index, json: part } => {
                let call = json!({"index": index, "function": {"arguments": part}});
                self.delta(json!({"tool_calls": [call]}), out);
            }
            Piece::Stop(stop) => {
                let choices = json!([{"index": 0, "delta": {}, "finish_reason": reason(&stop)}]);
                let extra = std::mem::take(&mut self.extra);
                self.chunk(choices, out, extra);
            }
            Piece::Usage(usage) => self.usage = Some(usage),
            Piece::Error(_) | Piece::End => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut BytesMut) -> Bytes {
        if let Some(usage) = self.usage.filter(|_| self.wants_usage) {
            let usage = Map::from_iter([("usage".to_owned(), counted(&usage))]);
            self.chunk(json!([]), out, usage);
        }
        Bytes::from_static(b"data: [DONE]\n\n")
    }

    fn error(&self, message: &str, out: &mut BytesMut) {
        let error =
            json!({"message": message, "type": "server_error", "param": null, "code": "provider_failed"});
        write(out, None, &json!({ "error": error }));
    }
}
