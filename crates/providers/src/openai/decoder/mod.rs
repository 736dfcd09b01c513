//! Decodes chat completions, from OpenAI and all providers that speak its format.
//!
//! Differences that are handled here: reasoning is `reasoning_content` (DeepSeek, Qwen, vLLM), `reasoning` (Ollama,
//! Groq), `reasoning_details` (OpenRouter) or a part of the content (Mistral); a tool call's `index` may be missing, or
//! be 0 for every call, its `id` may be missing or repeated in every fragment, and its name may follow later.

use serde_json::Value;

use crate::openai::content::{arguments_text, content_parts};
use crate::openai::reported;
use crate::translate::{Decoder, ResponsePart, StopReason, new_id, text_of};
use crate::{ResponseError, Usage};

/// Decodes the first choice; translated clients can't request more.
#[derive(Debug, Default)]
pub(crate) struct ChatDecoder {
    started: bool,
    calls: Vec<Call>,
}

/// A tool call, of which some fragments have arrived.
#[derive(Debug, Default)]
struct Call {
    /// The provider's index and id; either may be missing.
    index: Option<u64>,
    id: String,
    name: String,
    /// Arguments that arrived before the name.
    early: String,
    /// Whether its start was emitted, which its name and id can't change afterwards.
    started: bool,
}

impl Call {
    /// Emits its start, and the arguments that have arrived.
    fn start(&mut self, at: usize, out: &mut Vec<ResponsePart>) {
        if self.started {
            return;
        }
        self.started = true;
        let id = if self.id.is_empty() { new_id("call_") } else { self.id.clone() };
        out.push(ResponsePart::Tool { index: at, id, name: self.name.clone() });
        if !self.early.is_empty() {
            out.push(ResponsePart::Arguments { index: at, json: std::mem::take(&mut self.early) });
        }
    }
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
        let content = content_parts(message);
        if !content.reasoning.is_empty() {
            out.push(ResponsePart::Thinking(content.reasoning));
        }
        if !content.text.is_empty() {
            out.push(ResponsePart::Text(content.text));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out);
        }
    }

    fn call(&mut self, call: &Value, out: &mut Vec<ResponsePart>) {
        let name = call["function"]["name"].as_str().unwrap_or_default();
        let at = self.position(call["index"].as_u64(), call["id"].as_str().unwrap_or_default(), name);
        let known = &mut self.calls[at];
        if !known.started {
            // some servers repeat the name in every fragment
            if known.name != name {
                known.name.push_str(name);
            }
        }
        let json = match &call["function"]["arguments"] {
            Value::String(json) => json.clone(),
            Value::Null => String::new(),
            object => arguments_text(object),
        };
        if known.started && !json.is_empty() {
            out.push(ResponsePart::Arguments { index: at, json });
        } else {
            known.early.push_str(&json);
            self.start_ready(out);
        }
    }

    /// Emits the starts of the calls whose names are complete, as their arguments or those of a later call show. Calls
    /// start in their order, so one without a name delays those that follow.
    fn start_ready(&mut self, out: &mut Vec<ResponsePart>) {
        let is_ready = |call: &Call| !call.name.is_empty() && !call.early.is_empty();
        let until = self.calls.iter().rposition(is_ready).map_or(0, |last| last + 1);
        let named = self.calls[..until].iter().take_while(|call| !call.name.is_empty()).count();
        self.start_calls(named, out);
    }

    /// The call that a fragment belongs to, which is added if it is new. Without an index and an id (Gemini), a name
    /// begins a call.
    fn position(&mut self, index: Option<u64>, id: &str, name: &str) -> usize {
        let found = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index),
            None if id.is_empty() => {
                let last = self.calls.len().checked_sub(1);
                last.filter(|at| name.is_empty() || self.calls[*at].name.is_empty())
            }
            None => self.calls.iter().rposition(|call| call.id == id),
        };
        // another id is another call
        let found = found.filter(|at| id.is_empty() || ["", id].contains(&self.calls[*at].id.as_str()));
        let at = found.unwrap_or_else(|| {
            self.calls.push(Call { index, ..Call::default() });
            self.calls.len() - 1
        });
        if self.calls[at].id.is_empty() {
            id.clone_into(&mut self.calls[at].id);
        }
        at
    }

    /// Emits the start of the first calls, if it wasn't yet.
    fn start_calls(&mut self, until: usize, out: &mut Vec<ResponsePart>) {
        self.calls.iter_mut().enumerate().take(until).for_each(|(at, call)| call.start(at, out));
    }

    fn choice(&mut self, choice: &Value, part: &str, out: &mut Vec<ResponsePart>) {
        self.message(&choice[part], out);
        let stop = match choice["finish_reason"].as_str() {
            None | Some("") => return,
            Some("length" | "model_length") => StopReason::Length,
            Some("tool_calls" | "function_call") => StopReason::Tools,
            Some("content_filter") => StopReason::Filtered,
            // some servers send `stop` although there are tool calls
            Some(_) if !self.calls.is_empty() => StopReason::Tools,
            Some(_) => StopReason::End,
        };
        self.start_calls(self.calls.len(), out);
        out.push(ResponsePart::Stop(stop));
    }
}

/// The usage, in its place or in Groq's own.
fn usage(response: &Value) -> Option<ResponsePart> {
    let places = [&response["usage"], &response["x_groq"]["usage"]];
    let mut found =
        places.into_iter().filter_map(|usage| serde_json::from_value::<Usage>(usage.clone()).ok());
    found.next().map(ResponsePart::Usage)
}

impl Decoder for ChatDecoder {
    fn decode_complete(&mut self, body: &[u8]) -> Result<Vec<ResponsePart>, ResponseError> {
        let response: Value =
            serde_json::from_slice(body).map_err(|error| ResponseError::unreadable(body, &error))?;
        if let Some(reported) = reported(&response) {
            return Err(ResponseError::Reported(reported));
        }
        let choice = response["choices"]
            .get(0)
            .ok_or_else(|| ResponseError::without_content(&response, "it has no choices"))?;
        let mut out = Vec::new();
        self.start(&response, &mut out);
        self.choice(choice, "message", &mut out);
        self.start_calls(self.calls.len(), &mut out);
        out.extend(usage(&response));
        Ok(out)
    }

    fn event(&mut self, data: &[u8], out: &mut Vec<ResponsePart>) {
        if data == b"[DONE]" {
            self.start_calls(self.calls.len(), out);
            return out.push(ResponsePart::End);
        }
        // data that is not JSON is ignored, as OpenAI's own clients do
        let Ok(chunk) = serde_json::from_slice::<Value>(data) else { return };
        if let Some(error) = reported(&chunk) {
            return out.push(ResponsePart::Error(error));
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
mod tests;
