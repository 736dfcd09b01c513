//! Encodes text completions.

use bytes::{Bytes, BytesMut};
use loam_kernel::Clock;
use serde_json::{Map, Value, json};

use super::to_chat::prompt;
use crate::openai::{finish_reason, usage_json};
use crate::sse::write;
use crate::translate::{Encoder, ResponsePart, response_id};
use crate::{ProviderRequest, ReportedError, ResponseError, Usage};

const PREFIX: &str = "cmpl-";

/// Encodes a response for one client. Reasoning is left out, as the format has no place for it.
pub(crate) struct CompletionsEncoder {
    id: String,
    model: String,
    /// Seconds since 1970.
    created: i64,
    wants_usage: bool,
    /// The latest: a provider may send usage more than once.
    usage: Option<Usage>,
    /// What precedes the text: the prompt if the request has `echo`.
    echo: String,
    extra: Map<String, Value>,
}

impl CompletionsEncoder {
    pub(crate) fn new(kind: &str, provider_request: &ProviderRequest<'_>) -> Self {
        let request: Value = serde_json::from_slice(provider_request.body).unwrap_or_default();
        let echo = request["echo"] == true;
        // the request has been translated, so the prompt is valid
        let prompt = echo.then(|| prompt(kind, request.get("prompt").cloned()).unwrap_or_default());
        Self {
            id: String::new(),
            model: provider_request.model.to_owned(),
            created: Clock::system().now().timestamp(),
            wants_usage: provider_request.envelope.wants_usage,
            usage: None,
            echo: prompt.unwrap_or_default(),
            extra: Map::new(),
        }
    }

    fn start(&mut self, id: &str, model: String) {
        self.id = response_id(PREFIX, id);
        if !model.is_empty() {
            self.model = model;
        }
    }

    fn completion(&mut self, choices: Value) -> Value {
        let mut completion = json!({
            "id": self.id, "object": "text_completion", "created": self.created, "model": self.model,
            "choices": choices,
        });
        for (name, value) in std::mem::take(&mut self.extra) {
            completion[name] = value;
        }
        completion
    }

    fn text(&mut self, text: &str, finish: Option<&str>, out: &mut BytesMut) {
        let choice = json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]);
        let chunk = self.completion(choice);
        write(out, None, &chunk);
    }
}

impl Encoder for CompletionsEncoder {
    fn encode_complete(&mut self, parts: Vec<ResponsePart>) -> Result<Value, ResponseError> {
        let (mut text, mut finish, mut usage) = (std::mem::take(&mut self.echo), "stop", None);
        for part in parts {
            match part {
                ResponsePart::Start { id, model } => self.start(&id, model),
                ResponsePart::Extra(kind, fields) => drop(self.extra.insert(kind.to_owned(), fields.into())),
                ResponsePart::Text(part) => text.push_str(&part),
                ResponsePart::Stop(stop) => finish = finish_reason(&stop),
                ResponsePart::Usage(reported) => usage = Some(reported),
                _ => {}
            }
        }
        let choice = json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]);
        let mut response = self.completion(choice);
        if let Some(usage) = usage {
            response["usage"] = usage_json(&usage);
        }
        Ok(response)
    }

    fn write(&mut self, part: ResponsePart, out: &mut BytesMut) -> Result<(), String> {
        match part {
            ResponsePart::Start { id, model } => {
                self.start(&id, model);
                let echo = std::mem::take(&mut self.echo);
                if !echo.is_empty() {
                    self.text(&echo, None, out);
                }
            }
            ResponsePart::Extra(kind, fields) => drop(self.extra.insert(kind.to_owned(), fields.into())),
            ResponsePart::Text(part) => self.text(&part, None, out),
            ResponsePart::Stop(stop) => self.text("", Some(finish_reason(&stop)), out),
            ResponsePart::Usage(usage) => self.usage = Some(usage),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut BytesMut) -> Bytes {
        if let Some(usage) = self.usage.filter(|_| self.wants_usage) {
            let mut chunk = self.completion(json!([]));
            chunk["usage"] = usage_json(&usage);
            write(out, None, &chunk);
        }
        Bytes::from_static(b"data: [DONE]\n\n")
    }

    fn error(&mut self, error: &ReportedError, out: &mut BytesMut) {
        let error = json!({"message": error.message, "type": "server_error", "param": null, "code": "provider_failed"});
        write(out, None, &json!({ "error": error }));
    }
}
