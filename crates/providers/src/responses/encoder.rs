//! Encodes responses, with the complete sequence of events of a stream.

use bytes::{Bytes, BytesMut};
use loam_kernel::{Clock, Error};
use serde_json::{Map, Value, json};

use super::item::{Events, ItemKind};
use super::output::Output;
use super::response_id;
use super::tools::{OfferedTools, is_left_out};
use crate::translate::{Encoder, ResponsePart, StopReason};
use crate::{ProviderRequest, ReportedError, ResponseError, Usage};

/// Fields of the request that the response repeats, and what it says if the request has none.
fn repeated_fields() -> [(&'static str, Value); 14] {
    [
        ("background", json!(false)),
        ("instructions", Value::Null),
        ("max_output_tokens", Value::Null),
        ("metadata", json!({})),
        ("parallel_tool_calls", json!(true)),
        ("reasoning", json!({"effort": null, "summary": null})),
        ("store", json!(true)),
        ("temperature", json!(1.0)),
        ("text", json!({"format": {"type": "text"}})),
        ("tool_choice", json!("auto")),
        ("top_p", json!(1.0)),
        ("truncation", json!("disabled")),
        ("user", Value::Null),
        ("tools", json!([])),
    ]
}

/// Encodes a response for one client.
pub(crate) struct ResponsesEncoder {
    /// The fields of the response, except those of its outcome.
    fields: Map<String, Value>,
    tools: OfferedTools,
    output: Output,
    started: bool,
    /// The number of the next event.
    number: u64,
    stop: Option<StopReason>,
    usage: Option<Usage>,
}

impl ResponsesEncoder {
    pub(crate) fn new(provider_request: &ProviderRequest<'_>) -> Self {
        let mut request: Map<String, Value> =
            serde_json::from_slice(provider_request.body).unwrap_or_default();
        let mut fields = Map::new();
        for (name, default) in repeated_fields() {
            let value = request.remove(name).filter(|value| !value.is_null());
            fields.insert(name.to_owned(), value.unwrap_or(default));
        }
        let tools = OfferedTools::of(&fields["tools"]);
        // what was left out of the request was not offered
        if let Some(Value::Array(tools)) = fields.get_mut("tools") {
            tools.retain(|tool| !is_left_out(tool));
        }
        let id = response_id(provider_request.call);
        let output = Output::new(provider_request.call.0.simple().to_string());
        fields.insert("id".to_owned(), id.into());
        fields.insert("object".to_owned(), "response".into());
        fields.insert("created_at".to_owned(), Clock::system().now().timestamp().into());
        fields.insert("model".to_owned(), provider_request.model.into());
        fields.insert("previous_response_id".to_owned(), provider_request.previous_response.into());
        Self { fields, tools, output, started: false, number: 0, stop: None, usage: None }
    }

    fn response(&self, status: &str, error: Value) -> Value {
        let reason = match (status, &self.stop) {
            ("incomplete", Some(StopReason::Filtered)) => json!({"reason": "content_filter"}),
            ("incomplete", _) => json!({"reason": "max_output_tokens"}),
            _ => Value::Null,
        };
        let mut response = Value::Object(self.fields.clone());
        response["status"] = status.into();
        response["error"] = error;
        response["incomplete_details"] = reason;
        response["output"] = self.output.json();
        response["usage"] = self.usage.as_ref().map(usage_json).unwrap_or_default();
        response
    }

    fn start(&mut self, mut out: Option<&mut BytesMut>) {
        if std::mem::replace(&mut self.started, true) || out.is_none() {
            return;
        }
        for kind in ["response.created", "response.in_progress"] {
            let response = json!({"response": self.response("in_progress", Value::Null)});
            Events { out: out.as_deref_mut(), number: &mut self.number }.send(kind, response);
        }
    }

    fn take(&mut self, part: ResponsePart, mut out: Option<&mut BytesMut>) {
        match part {
            ResponsePart::Start { model, .. } => {
                if !model.is_empty() {
                    self.fields.insert("model".to_owned(), model.into());
                }
                return self.start(out);
            }
            ResponsePart::Extra(kind, fields) => {
                return drop(self.fields.insert(kind.to_owned(), fields.into()));
            }
            ResponsePart::Usage(usage) => return self.usage = Some(usage),
            ResponsePart::Error(_) | ResponsePart::End => return,
            _ => {}
        }
        self.start(out.as_deref_mut());
        let events = &mut Events { out, number: &mut self.number };
        match part {
            ResponsePart::Thinking(text) => self.output.text(ItemKind::Reasoning, &text, events),
            ResponsePart::Text(text) => self.output.text(ItemKind::Message, &text, events),
            ResponsePart::Tool { index, id: call_id, name } => {
                let tool = self.tools.called(&name);
                self.output.begin(ItemKind::Call { index, call_id, tool }, events);
            }
            ResponsePart::Arguments { index, json } => self.output.arguments(index, &json, events),
            ResponsePart::Stop(stop) => {
                let is_cut = matches!(stop, StopReason::Length | StopReason::Filtered);
                self.output.end(is_cut, events);
                self.stop = Some(stop);
            }
            _ => {}
        }
    }

    /// Ends all items; returns the status.
    fn finish(&mut self, mut out: Option<&mut BytesMut>) -> &'static str {
        self.start(out.as_deref_mut());
        self.output.end(false, &mut Events { out, number: &mut self.number });
        match self.stop {
            Some(StopReason::Length | StopReason::Filtered) => "incomplete",
            _ => "completed",
        }
    }

    fn fail(&mut self, code: &str, message: &str, out: &mut BytesMut) {
        self.start(Some(out));
        let response = self.response("failed", json!({"code": code, "message": message}));
        let mut events = Events { out: Some(out), number: &mut self.number };
        events.send("response.failed", json!({"response": response}));
    }
}

fn usage_json(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    })
}

/// The code of a provider's error: its own, or the one that its status stands for.
fn code_of(error: &ReportedError) -> String {
    let body: Value = serde_json::from_str(&error.body).unwrap_or_default();
    let own = body["error"]["code"].as_str().or_else(|| body["code"].as_str());
    let code = if error.status == 429 { "rate_limit_exceeded" } else { "server_error" };
    own.unwrap_or(code).to_owned()
}

impl Encoder for ResponsesEncoder {
    fn encode_complete(&mut self, parts: Vec<ResponsePart>) -> Result<Value, ResponseError> {
        parts.into_iter().for_each(|part| self.take(part, None));
        let status = self.finish(None);
        Ok(self.response(status, Value::Null))
    }

    fn write(&mut self, part: ResponsePart, out: &mut BytesMut) -> Result<(), String> {
        self.take(part, Some(out));
        Ok(())
    }

    fn end(&mut self, out: &mut BytesMut) -> Bytes {
        let status = self.finish(Some(out));
        let response = self.response(status, Value::Null);
        let mut last = BytesMut::new();
        let mut events = Events { out: Some(&mut last), number: &mut self.number };
        events.send(&format!("response.{status}"), json!({"response": response}));
        last.freeze()
    }

    fn error(&mut self, error: &ReportedError, out: &mut BytesMut) {
        self.fail(&code_of(error), &error.message, out);
    }

    fn interrupted(&mut self, error: &Error) -> Option<Bytes> {
        let mut out = BytesMut::new();
        self.fail(error.code(), error.message(), &mut out);
        Some(out.freeze())
    }
}
