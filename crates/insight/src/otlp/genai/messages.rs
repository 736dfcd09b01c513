//! What was said in a call, put together again from what its span tells.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names;
use crate::otlp::attributes::Attributes;
use crate::otlp::wire::{AnyValue, Value as Told};

/// Messages that are put together from attributes.
const MAX_MESSAGES: usize = 1000;

/// The request as far as it is told; none if nothing of what was said is.
pub(super) fn request(attributes: Attributes<'_>) -> Option<Value> {
    let whole = attributes.json(&names::INPUT);
    let mut body = match whole {
        // the body as it was sent
        Some(Value::Object(body)) if body.contains_key("messages") || body.contains_key("input") => body,
        Some(Value::Null) | None => {
            let messages = numbered(attributes, &names::INPUT_BY_NUMBER)?;
            Map::from_iter([("messages".to_owned(), messages.into())])
        }
        Some(said) => Map::from_iter([("messages".to_owned(), said)]),
    };
    if let Some(Value::Object(parameters)) = attributes.json(&names::PARAMETERS) {
        parameters.into_iter().for_each(|(name, value)| _ = body.entry(name).or_insert(value));
    }
    for (name, value) in attributes.below(names::PARAMETER) {
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

/// The answer as far as it is told.
pub(super) fn response(attributes: Attributes<'_>) -> Option<Value> {
    match attributes.json(&names::OUTPUT) {
        Some(Value::Object(body)) => Some(Value::Object(body)),
        Some(Value::Null) | None => {
            let choices = numbered(attributes, &names::OUTPUT_BY_NUMBER)?;
            let choice = |(index, message): (usize, Value)| json!({ "index": index, "message": message });
            Some(json!({ "choices": choices.into_iter().enumerate().map(choice).collect::<Vec<_>>() }))
        }
        Some(said) => Some(json!({ "messages": said })),
    }
}

/// Messages whose parts are attributes of their own: `llm.input_messages.0.message.role`, `gen_ai.prompt.0.content`.
fn numbered(attributes: Attributes<'_>, prefixes: &[&'static str]) -> Option<Vec<Value>> {
    let mut messages: BTreeMap<usize, Value> = BTreeMap::new();
    for prefix in prefixes {
        for (rest, value) in attributes.below(prefix) {
            let Some((number, path)) = rest.split_once('.') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            if number < MAX_MESSAGES {
                let path = path.strip_prefix("message.").unwrap_or(path);
                place(messages.entry(number).or_insert_with(|| json!({})), path, leaf(value));
            }
        }
    }
    (!messages.is_empty()).then(|| messages.into_values().collect())
}

fn leaf(value: &Told) -> Value {
    AnyValue::from(value.clone()).json()
}

/// Puts a value where a path of names leads, at most eight deep; the names of numbers stay names.
fn place(message: &mut Value, path: &str, value: Value) {
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
