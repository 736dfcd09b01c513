//! Assembles the chunks of a chat completion's stream into one response.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::sse::recorded;

/// Assembles the chunks of a stream into the response that would have come without streaming.
pub(crate) fn assemble_chunks(stream: &str) -> Value {
    let mut response = Map::new();
    let mut choices: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    for data in recorded(stream.as_bytes()) {
        let Ok(Value::Object(chunk)) = serde_json::from_slice::<Value>(&data) else { continue };
        for (name, value) in chunk {
            match (name.as_str(), value) {
                ("choices", Value::Array(parts)) => {
                    for part in parts {
                        let choice = choices.entry(part["index"].as_u64().unwrap_or(0)).or_default();
                        add_choice(choice, part);
                    }
                }
                ("object", object) if object != "text_completion" => {
                    drop(response.insert(name, json!("chat.completion")));
                }
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
            ("text", value) => merge(choice, name, value),
            (_, Value::Null) => {}
            (_, value) => drop(choice.insert(name, value)),
        }
    }
}

/// Merges a delta: text is appended; items of lists that are parts of one (tool calls) are merged, others are added.
fn merge(into: &mut Map<String, Value>, name: String, value: Value) {
    match (into.get_mut(&name), value) {
        (_, Value::Null) => {}
        // some servers repeat a tool's name in every fragment
        (Some(Value::String(text)), Value::String(more)) if name == "name" && *text == more => {}
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
                let same = begun(items, &item);
                match (same.map(|at| &mut items[at]), item) {
                    (Some(Value::Object(old)), Value::Object(item)) => {
                        item.into_iter().for_each(|(name, value)| merge(old, name, value));
                    }
                    (_, item) => items.push(item),
                }
            }
        }
        // Mistral sends reasoning as a list of parts, and the text after it as strings
        (Some(parts @ Value::String(_)), Value::Array(more)) if name == "content" => {
            *parts = text_part(parts).into_iter().chain(more).collect();
        }
        (Some(Value::Array(parts)), text @ Value::String(_)) if name == "content" => {
            parts.extend(text_part(&text));
        }
        (_, value) => drop(into.insert(name, value)),
    }
}

/// The item that a fragment belongs to. A call's `index` may be missing, or be 0 for every call; without an index and
/// an id, a name begins a call.
fn begun(items: &[Value], fragment: &Value) -> Option<usize> {
    let id = |item: &Value| item["id"].as_str().unwrap_or_default().to_owned();
    let (index, own) = (fragment["index"].as_u64(), id(fragment));
    let found = match index {
        Some(_) => items.iter().rposition(|item| item["index"].as_u64() == index),
        None if fragment["function"].is_null() => None,
        None if own.is_empty() => {
            let is_named =
                |item: &Value| item["function"]["name"].as_str().is_some_and(|name| !name.is_empty());
            items.len().checked_sub(1).filter(|at| !is_named(fragment) || !is_named(&items[*at]))
        }
        None => items.iter().rposition(|item| id(item) == own),
    };
    found.filter(|at| own.is_empty() || id(&items[*at]).is_empty() || id(&items[*at]) == own)
}

/// A text as a part; none if it is empty.
fn text_part(text: &Value) -> Option<Value> {
    text.as_str().filter(|text| !text.is_empty()).map(|text| json!({"type": "text", "text": text}))
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
