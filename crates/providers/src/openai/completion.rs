//! Reads chat completions: their usage, and the chunks of a stream assembled into one response.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Usage;

/// The usage of a response that is not streamed.
pub(crate) fn usage_of(body: &[u8]) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        usage: Option<Usage>,
    }
    serde_json::from_slice::<Answer>(body).ok()?.usage
}

/// Assembles the chunks of a stream into the response that would have come without streaming.
pub(crate) fn assemble_chunks(stream: &str) -> Value {
    let mut response = Map::new();
    let mut choices: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    for line in stream.lines() {
        let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
        let Ok(Value::Object(chunk)) = serde_json::from_str::<Value>(data) else { continue };
        for (name, value) in chunk {
            match (name.as_str(), value) {
                ("choices", Value::Array(parts)) => {
                    for part in parts {
                        let choice = choices.entry(part["index"].as_u64().unwrap_or(0)).or_default();
                        add_choice(choice, part);
                    }
                }
                ("object", _) => drop(response.insert(name, json!("chat.completion"))),
                (_, Value::Null) => {}
                (_, value) => drop(response.insert(name, value)),
            }
        }
    }
    let choices: Vec<Value> = choices
        .into_iter()
        .map(|(index, mut choice)| {
            choice.insert("index".to_owned(), json!(index));
            Value::Object(choice)
        })
        .collect();
    response.insert("choices".to_owned(), Value::Array(choices));
    Value::Object(response)
}

fn add_choice(choice: &mut Map<String, Value>, part: Value) {
    let Value::Object(part) = part else { return };
    for (name, value) in part {
        match (name.as_str(), value) {
            ("delta", Value::Object(delta)) => {
                let message = choice.entry("message").or_insert_with(|| json!({}));
                if let Value::Object(message) = message {
                    delta.into_iter().for_each(|(name, value)| merge(message, name, value));
                }
            }
            ("logprobs", Value::Object(logprobs)) => {
                let all = choice.entry("logprobs").or_insert_with(|| json!({}));
                if let Value::Object(all) = all {
                    logprobs.into_iter().for_each(|(name, value)| merge(all, name, value));
                }
            }
            (_, Value::Null) => {}
            (_, value) => drop(choice.insert(name, value)),
        }
    }
}

/// Merges a delta: text is appended; lists with an `index` (tool calls) are merged by it, others are extended.
fn merge(into: &mut Map<String, Value>, name: String, value: Value) {
    match (into.get_mut(&name), value) {
        (_, Value::Null) => {}
        (Some(Value::String(text)), Value::String(more))
            if !matches!(name.as_str(), "role" | "id" | "type") =>
        {
            text.push_str(&more);
        }
        (Some(Value::Object(fields)), Value::Object(more)) => {
            more.into_iter().for_each(|(name, value)| merge(fields, name, value));
        }
        (Some(Value::Array(items)), Value::Array(more)) => {
            for item in more {
                let index = item.get("index").and_then(Value::as_u64);
                let same = items
                    .iter_mut()
                    .find(|old| index.is_some() && old.get("index").and_then(Value::as_u64) == index);
                match (same, item) {
                    (Some(Value::Object(old)), Value::Object(item)) => {
                        item.into_iter().for_each(|(name, value)| merge(old, name, value));
                    }
                    (_, item) => items.push(item),
                }
            }
        }
        (_, value) => drop(into.insert(name, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_assembled_into_the_equivalent_response() {
        let chunk = |delta: Value| {
            format!(
                "data: {}\n\n",
                json!({"id": "c", "object": "chat.completion.chunk", "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
            )
        };
        let call = |part: Value| json!({"tool_calls": [part]});
        let stream = [
            chunk(json!({"role": "assistant", "content": "Hel"})),
            chunk(json!({"content": "lo"})),
            chunk(call(json!({"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"a\""}}))),
            chunk(call(json!({"index": 0, "function": {"arguments": ":1}"}}))),
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n".to_owned(),
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n".to_owned(),
        ]
        .concat();
        let response = assemble_chunks(&stream);
        assert_eq!(
            response,
            json!({"id": "c", "object": "chat.completion", "model": "m", "usage": {"prompt_tokens": 1},
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello",
                "tool_calls": [{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}}]})
        );
        assert_eq!(crate::completion_text(&response), "Hellof{\"a\":1}");
    }
}
