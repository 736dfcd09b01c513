//! Decodes chat completions, from OpenAI and all providers that speak its format.
//!
//! Differences that are handled here: reasoning is `reasoning_content` (DeepSeek, Qwen, vLLM) or `reasoning` (Ollama,
//! OpenRouter); a tool call's `index` may be missing, or be 0 for every call, and its `id` may be repeated in every
//! fragment.

use loam_kernel::Result;
use serde_json::Value;

use crate::Usage;
use crate::openai::stream::error_message;
use crate::translate::{Decoder, ResponsePart, StopReason, invalid_response, text_of};

/// Decodes the first choice; translated clients can't request more.
#[derive(Default)]
pub(crate) struct ChatDecoder {
    started: bool,
    /// The provider's index and id of each tool call so far.
    calls: Vec<(Option<u64>, String)>,
}

impl ChatDecoder {
    fn start(&mut self, response: &Value, out: &mut Vec<ResponsePart>) {
        if !self.started {
            self.started = true;
            out.push(ResponsePart::Start {
                id: text_of(&response["id"]),
                model: text_of(&response["model"]),
            });
        }
    }

    /// A message, or a delta of one.
    fn message(&mut self, message: &Value, out: &mut Vec<ResponsePart>) {
        let reasoning = message["reasoning_content"].as_str().or_else(|| message["reasoning"].as_str());
        if let Some(reasoning) = reasoning.filter(|text| !text.is_empty()) {
            out.push(ResponsePart::Thinking(reasoning.to_owned()));
        }
        for field in ["content", "refusal"] {
            if let Some(text) = message[field].as_str().filter(|text| !text.is_empty()) {
                out.push(ResponsePart::Text(text.to_owned()));
            }
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out);
        }
    }

    fn call(&mut self, call: &Value, out: &mut Vec<ResponsePart>) {
        let provider_index = call["index"].as_u64();
        let id = call["id"].as_str().unwrap_or_default();
        let position = match provider_index {
            Some(_) => self.calls.iter().rposition(|(index, _)| *index == provider_index),
            None if id.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().rposition(|(_, other)| other == id),
        };
        let position =
            position.filter(|at| id.is_empty() || self.calls[*at].1.is_empty() || self.calls[*at].1 == id);
        let index = position.unwrap_or_else(|| {
            let index = self.calls.len();
            self.calls.push((provider_index, id.to_owned()));
            let id = if id.is_empty() { format!("call_{index}") } else { id.to_owned() };
            out.push(ResponsePart::Tool { index, id, name: text_of(&call["function"]["name"]) });
            index
        });
        let json = match &call["function"]["arguments"] {
            Value::String(json) => json.clone(),
            Value::Null => String::new(),
            // some servers send an object
            object => object.to_string(),
        };
        if !json.is_empty() {
            out.push(ResponsePart::Arguments { index, json });
        }
    }

    fn choice(&mut self, choice: &Value, part: &str, out: &mut Vec<ResponsePart>) {
        self.message(&choice[part], out);
        let stop = match choice["finish_reason"].as_str() {
            None | Some("") => return,
            // some servers send `stop` although there are tool calls
            Some("stop") if !self.calls.is_empty() => StopReason::Tools,
            Some("length") => StopReason::Length,
            Some("tool_calls" | "function_call") => StopReason::Tools,
            Some("content_filter") => StopReason::Filtered,
            Some(_) => StopReason::End,
        };
        out.push(ResponsePart::Stop(stop));
    }
}

fn usage(response: &Value) -> Option<ResponsePart> {
    let usage = response.get("usage").filter(|usage| usage.is_object())?;
    serde_json::from_value::<Usage>(usage.clone()).ok().map(ResponsePart::Usage)
}

impl Decoder for ChatDecoder {
    fn decode_complete(&mut self, body: &[u8]) -> Result<Vec<ResponsePart>> {
        let response: Value = serde_json::from_slice(body).map_err(invalid_response)?;
        let choice = response["choices"].get(0).ok_or_else(|| match response.get("error") {
            Some(error) => invalid_response(error_message(&error.to_string())),
            None => invalid_response("it has no choices"),
        })?;
        let mut out = Vec::new();
        self.start(&response, &mut out);
        self.choice(choice, "message", &mut out);
        out.extend(usage(&response));
        Ok(out)
    }

    fn event(&mut self, _name: &[u8], data: &[u8], out: &mut Vec<ResponsePart>) {
        if data == b"[DONE]" {
            return out.push(ResponsePart::End);
        }
        // data that is not JSON is ignored, as OpenAI's own clients do
        let Ok(chunk) = serde_json::from_slice::<Value>(data) else { return };
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null() && chunk["choices"].is_null())
        {
            return out.push(ResponsePart::Error(error_message(&error.to_string())));
        }
        self.start(&chunk, out);
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            if choice["index"].as_u64().unwrap_or(0) == 0 {
                self.choice(choice, "delta", out);
            }
        }
        out.extend(usage(&chunk));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn calls(parts: &[Value]) -> Vec<(usize, String)> {
        let mut decoder = ChatDecoder::default();
        let mut out = Vec::new();
        for part in parts {
            let chunk = json!({"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]});
            decoder.event(b"", chunk.to_string().as_bytes(), &mut out);
        }
        let mut calls = Vec::new();
        for part in out {
            match part {
                ResponsePart::Tool { index, name, .. } => calls.push((index, name)),
                ResponsePart::Arguments { index, json } => calls[index].1.push_str(&json),
                _ => {}
            }
        }
        calls
    }

    #[test]
    fn tool_calls_are_distinguished_whatever_a_server_omits() {
        let part = |index: Option<u64>, id: Option<&str>, name: &str, arguments: &str| json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}});
        let expected = vec![(0, "f{}".to_owned()), (1, "g[1]".to_owned())];
        let openai = [
            part(Some(0), Some("a"), "f", ""),
            part(Some(0), None, "", "{}"),
            part(Some(1), Some("b"), "g", "["),
            part(Some(1), None, "", "1]"),
        ];
        assert_eq!(calls(&openai), expected);
        let repeats_ids = [
            part(Some(0), Some("a"), "f", "{}"),
            part(Some(1), Some("b"), "g", "["),
            part(Some(1), Some("b"), "g", "1]"),
        ];
        assert_eq!(calls(&repeats_ids), expected);
        let always_zero = [part(Some(0), Some("a"), "f", "{}"), part(Some(0), Some("b"), "g", "[1]")];
        assert_eq!(calls(&always_zero), expected);
        let no_index =
            [part(None, Some("a"), "f", "{}"), part(None, Some("b"), "g", "["), part(None, None, "", "1]")];
        assert_eq!(calls(&no_index), expected);
    }
}
