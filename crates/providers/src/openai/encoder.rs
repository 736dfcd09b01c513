//! Encodes chat completions. Source: the API reference, "Chat completions"
//! (platform.openai.com/docs/api-reference/chat). Reasoning is `reasoning_content`, as in DeepSeek's and Qwen's APIs,
//! which clients support.

use bytes::{Bytes, BytesMut};
use loam_kernel::Clock;
use serde_json::{Map, Value, json};

use super::content::arguments_text;
use crate::sse::write;
use crate::translate::{Encoder, ResponsePart, StopReason, response_id};
use crate::{ReportedError, ResponseError, Usage};

const PREFIX: &str = "chatcmpl-";

/// Encodes a response for one client.
pub(crate) struct ChatEncoder {
    id: String,
    model: String,
    /// Seconds since 1970.
    created: i64,
    wants_usage: bool,
    /// The latest: a provider may send usage more than once.
    usage: Option<Usage>,
    extra: Map<String, Value>,
    /// The calls that have started and have no arguments so far.
    without_arguments: Vec<usize>,
}

impl ChatEncoder {
    /// `model` is the provider's name of the model.
    pub(crate) fn new(model: &str, wants_usage: bool) -> Self {
        let created = Clock::system().now().timestamp();
        Self {
            id: String::new(),
            model: model.to_owned(),
            created,
            wants_usage,
            usage: None,
            extra: Map::new(),
            without_arguments: Vec::new(),
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

    fn arguments(&self, index: usize, json: &str, out: &mut BytesMut) {
        let call = json!({"index": index, "function": {"arguments": json}});
        self.delta(json!({"tool_calls": [call]}), out);
    }

    /// A client parses the arguments as JSON, which an empty string is not.
    fn complete_arguments(&mut self, out: &mut BytesMut) {
        for index in std::mem::take(&mut self.without_arguments) {
            self.arguments(index, "{}", out);
        }
    }
}

/// The name of a reason.
pub(crate) fn finish_reason(stop: &StopReason) -> &'static str {
    match stop {
        StopReason::End | StopReason::Sequence(_) => "stop",
        StopReason::Length => "length",
        StopReason::Tools => "tool_calls",
        StopReason::Filtered => "content_filter",
    }
}

/// The `usage` of a response.
pub(crate) fn usage_json(usage: &Usage) -> Value {
    let mut details = json!({"cached_tokens": usage.cached_tokens});
    if usage.cache_write_tokens > 0 {
        details["cache_write_tokens"] = usage.cache_write_tokens.into();
    }
    json!({
        "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens, "prompt_tokens_details": details,
    })
}

impl Encoder for ChatEncoder {
    fn encode_complete(&mut self, parts: Vec<ResponsePart>) -> Result<Value, ResponseError> {
        let mut response = json!({
            "id": "", "object": "chat.completion", "created": self.created, "model": self.model,
        });
        let (mut text, mut reasoning, mut calls, mut finish) =
            (String::new(), String::new(), Vec::new(), "stop");
        for part in parts {
            match part {
                ResponsePart::Start { id, model } => {
                    response["id"] = response_id(PREFIX, &id).into();
                    if !model.is_empty() {
                        response["model"] = model.into();
                    }
                }
                ResponsePart::Extra(kind, fields) => response[kind] = fields.into(),
                ResponsePart::Thinking(part) => reasoning.push_str(&part),
                ResponsePart::Text(part) => text.push_str(&part),
                ResponsePart::Tool { id, name, .. } => calls.push((id, name, String::new())),
                ResponsePart::Arguments { index, json } => {
                    if let Some(call) = calls.get_mut(index) {
                        call.2.push_str(&json);
                    }
                }
                ResponsePart::Stop(stop) => finish = finish_reason(&stop),
                ResponsePart::Usage(usage) => response["usage"] = usage_json(&usage),
                ResponsePart::Error(_) | ResponsePart::End => {}
            }
        }
        let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { text.into() };
        let mut message = json!({"role": "assistant", "content": content, "refusal": null});
        if !reasoning.is_empty() {
            message["reasoning_content"] = reasoning.into();
        }
        if !calls.is_empty() {
            let call = |(id, name, arguments): (String, String, String)| {
                let arguments = arguments_text(&arguments.into());
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
            };
            message["tool_calls"] = calls.into_iter().map(call).collect();
        }
        response["choices"] =
            json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}]);
        Ok(response)
    }

    fn write(&mut self, part: ResponsePart, out: &mut BytesMut) -> Result<(), String> {
        match part {
            ResponsePart::Start { id, model } => {
                self.id = response_id(PREFIX, &id);
                if !model.is_empty() {
                    self.model = model;
                }
                let delta = json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]);
                let extra = std::mem::take(&mut self.extra);
                self.chunk(delta, out, extra);
            }
            ResponsePart::Extra(kind, fields) => drop(self.extra.insert(kind.to_owned(), fields.into())),
            ResponsePart::Thinking(part) => self.delta(json!({"reasoning_content": part}), out),
            ResponsePart::Text(part) => self.delta(json!({"content": part}), out),
            ResponsePart::Tool { index, id, name } => {
                self.without_arguments.push(index);
                let call = json!({"index": index, "id": id, "type": "function",
                    "function": {"name": name, "arguments": ""}});
                self.delta(json!({"tool_calls": [call]}), out);
            }
            ResponsePart::Arguments { index, json: part } => {
                self.without_arguments.retain(|call| *call != index);
                self.arguments(index, &part, out);
            }
            ResponsePart::Stop(stop) => {
                self.complete_arguments(out);
                let choices = json!([{"index": 0, "delta": {}, "finish_reason": finish_reason(&stop)}]);
                let extra = std::mem::take(&mut self.extra);
                self.chunk(choices, out, extra);
            }
            ResponsePart::Usage(usage) => self.usage = Some(usage),
            ResponsePart::Error(_) | ResponsePart::End => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut BytesMut) -> Bytes {
        self.complete_arguments(out);
        if let Some(usage) = self.usage.filter(|_| self.wants_usage) {
            let usage = Map::from_iter([("usage".to_owned(), usage_json(&usage))]);
            self.chunk(json!([]), out, usage);
        }
        Bytes::from_static(b"data: [DONE]\n\n")
    }

    fn error(&mut self, error: &ReportedError, out: &mut BytesMut) {
        let error = json!({"message": error.message, "type": "server_error", "param": null, "code": "provider_failed"});
        write(out, None, &json!({ "error": error }));
    }
}
