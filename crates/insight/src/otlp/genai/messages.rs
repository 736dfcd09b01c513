//! Reconstructs the request and response of a model call from the attributes of its span.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names;
use crate::otlp::attributes::Attributes;
use crate::otlp::wire::{AnyValue, Value as Attribute};

/// Maximum number of messages that are read from indexed attributes.
const MAX_MESSAGES: usize = 1000;

/// The request body as far as it was reported; none without messages.
pub(super) fn request(attributes: Attributes<'_>) -> Option<Value> {
    let input = attributes.json(&names::INPUT);
    let mut body = match input {
        // the request body
        Some(Value::Object(body)) if body.contains_key("messages") || body.contains_key("input") => body,
        Some(Value::Null) | None => {
            let messages = indexed_messages(attributes, &names::INPUT_BY_NUMBER)?;
            Map::from_iter([("messages".to_owned(), messages.into())])
        }
        Some(messages) => Map::from_iter([("messages".to_owned(), messages)]),
    };
    if let Some(Value::Object(parameters)) = attributes.json(&names::PARAMETERS) {
        parameters.into_iter().for_each(|(name, value)| _ = body.entry(name).or_insert(value));
    }
    for (name, value) in attributes.with_prefix(names::PARAMETER) {
        let value = AnyValue::from(value.clone()).json();
        body.entry(name.to_owned()).or_insert(value);
    }
    for (field, names) in [("system", &names::SYSTEM[..]), ("tools", &names::TOOLS[..])] {
        if let Some(value) = attributes.json(names) {
            body.entry(field.to_owned()).or_insert(value);
        }
    }
    Some(Value::Object(body))
}

/// The response body as far as it was reported.
pub(super) fn response(attributes: Attributes<'_>) -> Option<Value> {
    match attributes.json(&names::OUTPUT) {
        Some(Value::Object(body)) => Some(Value::Object(body)),
        Some(Value::Null) | None => {
            let choices = indexed_messages(attributes, &names::OUTPUT_BY_NUMBER)?;
            let choice = |(index, message): (usize, Value)| json!({ "index": index, "message": message });
            Some(json!({ "choices": choices.into_iter().enumerate().map(choice).collect::<Vec<_>>() }))
        }
        Some(messages) => Some(json!({ "messages": messages })),
    }
}

/// Messages with one attribute per field: `llm.input_messages.0.message.role`, `gen_ai.prompt.0.content`.
fn indexed_messages(attributes: Attributes<'_>, prefixes: &[&'static str]) -> Option<Vec<Value>> {
    let mut messages: BTreeMap<usize, Value> = BTreeMap::new();
    for prefix in prefixes {
        for (rest, value) in attributes.with_prefix(prefix) {
            let Some((number, path)) = rest.split_once('.') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            if number < MAX_MESSAGES {
                let path = path.strip_prefix("message.").unwrap_or(path);
                set_path(messages.entry(number).or_insert_with(|| json!({})), path, leaf(value));
            }
        }
    }
    (!messages.is_empty()).then(|| messages.into_values().collect())
}

fn leaf(value: &Attribute) -> Value {
    AnyValue::from(value.clone()).json()
}

/// Sets the value at a dotted path, at most eight levels deep. Numeric segments stay object keys.
fn set_path(message: &mut Value, path: &str, value: Value) {
    let mut at = message;
    let mut parts = path.splitn(8, '.').peekable();
    while let Some(part) = parts.next() {
        let Value::Object(fields) = at else { return };
        if parts.peek().is_none() {
            fields.insert(part.to_owned(), value);
            return;
        }
        at = fields.entry(part.to_owned()).or_insert_with(|| json!({}));
    }
}
