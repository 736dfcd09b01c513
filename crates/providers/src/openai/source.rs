//! Reads chat completions into pieces: those of OpenAI and of all that speak its format.
//!
//! What differs among them and is read here: the thoughts are `reasoning_content` (DeepSeek, Qwen, vLLM) or `reasoning`
//! (Ollama, OpenRouter); a tool call's `index` may be missing, or be 0 for every call, and its `id` may be repeated with
//! every part.

use loam_kernel::Result;
use serde_json::Value;

use crate::Usage;
use crate::openai::stream::said;
use crate::piece::{Piece, Source, Stop, not_an_answer, text_of};

/// Reads the first choice; translated clients can't ask for more.
#[derive(Default)]
pub(crate) struct ChatSource {
    started: bool,
    /// For each call so far the provider's index and id.
    calls: Vec<(Option<u64>, String)>,
}

impl ChatSource {
    fn start(&mut self, answer: &Value, out: &mut Vec<Piece>) {
        if !self.started {
            self.started = true;
            out.push(Piece::Start { id: text_of(&answer["id"]), model: text_of(&answer["model"]) });
        }
    }

    /// A message, or a part of one.
    fn message(&mut self, message: &Value, out: &mut Vec<Piece>) {
        let thoughts = message["reasoning_content"].as_str().or_else(|| message["reasoning"].as_str());
        if let Some(thoughts) = thoughts.filter(|text| !text.is_empty()) {
            out.push(Piece::Thinking(thoughts.to_owned()));
        }
        for field in ["content", "refusal"] {
            if let Some(text) = message[field].as_str().filter(|text| !text.is_empty()) {
                out.push(Piece::Text(text.to_owned()));
            }
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out);
        }
    }

    fn call(&mut self, call: &Value, out: &mut Vec<Piece>) {
        let given = call["index"].as_u64();
        let id = call["id"].as_str().unwrap_or_default();
        let known = match given {
            Some(_) => self.calls.iter().rposition(|(index, _)| *index == given),
            None if id.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().rposition(|(_, known)| known == id),
        };
        let known =
            known.filter(|at| id.is_empty() || self.calls[*at].1.is_empty() || self.calls[*at].1 == id);
        let index = known.unwrap_or_else(|| {
            let index = self.calls.len();
            self.calls.push((given, id.to_owned()));
            let id = if id.is_empty() { format!("call_{index}") } else { id.to_owned() };
            out.push(Piece::Tool { index, id, name: text_of(&call["function"]["name"]) });
            index
        });
        let json = match &call["function"]["arguments"] {
            Value::String(json) => json.clone(),
            Value::Null => String::new(),
            // some servers send the object itself
            object => object.to_string(),
        };
        if !json.is_empty() {
            out.push(Piece::Arguments { index, json });
        }
    }

    fn choice(&mut self, choice: &Value, part: &str, out: &mut Vec<Piece>) {
        self.message(&choice[part], out);
        let stop = match choice["finish_reason"].as_str() {
            None | Some("") => return,
            // a stop for tools is known by the calls too: some servers say `stop` all the same
            Some("stop") if !self.calls.is_empty() => Stop::Tools,
            Some("length") => Stop::Length,
            Some("tool_calls" | "function_call") => Stop::Tools,
            Some("content_filter") => Stop::Filtered,
            Some(_) => Stop::End,
        };
        out.push(Piece::Stop(stop));
    }
}

fn usage(answer: &Value) -> Option<Piece> {
    let usage = answer.get("usage").filter(|usage| usage.is_object())?;
    serde_json::from_value::<Usage>(usage.clone()).ok().map(Piece::Usage)
}

impl Source for ChatSource {
    fn whole(&mut self, body: &[u8]) -> Result<Vec<Piece>> {
        let answer: Value = serde_json::from_slice(body).map_err(not_an_answer)?;
        let choice = answer["choices"].get(0).ok_or_else(|| match answer.get("error") {
            Some(error) => not_an_answer(said(&error.to_string())),
            None => not_an_answer("it has no choices"),
        })?;
        let mut out = Vec::new();
        self.start(&answer, &mut out);
        self.choice(choice, "message", &mut out);
        out.extend(usage(&answer));
        Ok(out)
    }

    fn event(&mut self, _name: &[u8], data: &[u8], out: &mut Vec<Piece>) {
        if data == b"[DONE]" {
            return out.push(Piece::End);
        }
        // what is no JSON is passed over, as OpenAI's own clients do with a comment
        let Ok(chunk) = serde_json::from_slice::<Value>(data) else { return };
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null() && chunk["choices"].is_null())
        {
            return out.push(Piece::Error(said(&error.to_string())));
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
        let mut source = ChatSource::default();
        let mut out = Vec::new();
        for part in parts {
            let chunk = json!({"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]});
            source.event(b"", chunk.to_string().as_bytes(), &mut out);
        }
        let mut calls = Vec::new();
        for piece in out {
            match piece {
                Piece::Tool { index, name, .. } => calls.push((index, name)),
                Piece::Arguments { index, json } => calls[index].1.push_str(&json),
                _ => {}
            }
        }
        calls
    }

    #[test]
    fn tool_calls_are_told_apart_whatever_a_server_leaves_out() {
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
