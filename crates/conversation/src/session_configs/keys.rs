//! The keys that Loam interprets, each with its JSON schema. All other keys belong to the application.

use loam_kernel::{Error, Result, slug};
use loam_platform::schema::Schema;
use serde_json::{Value, json};

use crate::checks::json_size;
use crate::tools;

/// Maximum size of a value in bytes of JSON.
const MAX_SIZE: usize = 64 << 10;

/// Names and schemas of the keys that Loam interprets.
static KEYS: [(&str, Schema); 11] = [
    ("temperature", Schema::new(|| json!({ "type": "number", "minimum": 0, "maximum": 2 }))),
    ("top_p", Schema::new(|| json!({ "type": "number", "minimum": 0, "maximum": 1 }))),
    ("max_tokens", Schema::new(|| json!({ "type": "integer", "minimum": 1, "maximum": 10_000_000 }))),
    (
        "stop",
        Schema::new(|| {
            let text = json!({ "type": "string", "minLength": 1, "maxLength": 1000 });
            json!({ "anyOf": [text, { "type": "array", "minItems": 1, "maxItems": 16, "items": text }] })
        }),
    ),
    ("seed", Schema::new(|| json!({ "type": "integer" }))),
    ("presence_penalty", Schema::new(|| json!({ "type": "number", "minimum": -2, "maximum": 2 }))),
    ("frequency_penalty", Schema::new(|| json!({ "type": "number", "minimum": -2, "maximum": 2 }))),
    (
        "response_format",
        Schema::new(|| {
            let kinds = ["text", "json_object", "json_schema"];
            json!({ "type": "object", "required": ["type"], "properties": { "type": { "enum": kinds } } })
        }),
    ),
    (
        "reasoning_effort",
        Schema::new(|| json!({ "enum": ["none", "minimal", "low", "medium", "high", "xhigh"] })),
    ),
    ("context", Schema::new(context)),
    (
        "tool_choice",
        Schema::new(|| {
            json!({ "anyOf": [
                { "enum": ["none", "auto", "required"] },
                { "type": "object", "required": ["type"], "properties": { "type": { "type": "string" } } }
            ] })
        }),
    ),
];

/// How much of the history is sent to a model.
fn context() -> Value {
    json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "max_tokens": { "type": "integer", "minimum": 1, "maximum": 10_000_000 },
            "max_messages": { "type": "integer", "minimum": 1, "maximum": 10_000 },
            "overflow": { "enum": ["drop_oldest", "summarize"] },
            "keep_last": { "type": "integer", "minimum": 1, "maximum": 10_000 },
            "summary_model": { "type": "string", "minLength": 1, "maxLength": 200 }
        }
    })
}

/// Rejects an invalid key, and a value that the key does not accept.
pub(crate) fn check(key: &str, value: &Value) -> Result<()> {
    check_name(key)?;
    if value.is_null() {
        return Err(Error::invalid("value", "must not be null; delete the setting instead"));
    }
    if key == tools::KEY {
        let message = "is reserved: set tools with `PUT /api/v1/chat_sessions/{id}/tools`, which validates them and seals their secrets";
        return Err(Error::invalid("key", message));
    }
    json_size("value", value, MAX_SIZE)?;
    match KEYS.iter().find(|(name, _)| *name == key) {
        Some((_, schema)) => schema.check("value", value),
        None => Ok(()),
    }
}

/// Rejects an invalid key.
pub(crate) fn check_name(key: &str) -> Result<()> {
    slug("key", key, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_key_accepts_values_that_match_its_schema() {
        for (key, value) in [
            ("temperature", json!(0.7)),
            ("top_p", json!(1)),
            ("max_tokens", json!(512)),
            ("stop", json!("END")),
            ("stop", json!(["a", "b"])),
            ("seed", json!(-4)),
            ("presence_penalty", json!(-2)),
            ("frequency_penalty", json!(2)),
            ("response_format", json!({ "type": "json_schema", "json_schema": { "name": "x" } })),
            ("reasoning_effort", json!("low")),
            ("context", json!({ "max_tokens": 4000, "overflow": "summarize", "keep_last": 4 })),
            ("tool_choice", json!("auto")),
            ("tool_choice", json!({ "type": "function", "function": { "name": "f" } })),
            ("my.own-key", json!({ "anything": [1, null] })),
        ] {
            check(key, &value).unwrap_or_else(|e| panic!("{key} = {value}: {e}"));
        }
    }

    #[test]
    fn an_invalid_value_is_rejected_with_its_field() {
        for (key, value, param) in [
            ("temperature", json!(2.1), "value"),
            ("temperature", json!("hot"), "value"),
            ("max_tokens", json!(0), "value"),
            ("stop", json!([]), "value"),
            ("response_format", json!({ "type": "xml" }), "value.type"),
            ("context", json!({ "overflow": "forget" }), "value.overflow"),
            ("context", json!({ "max_token": 5 }), "value.max_token"),
            ("tools", json!([]), "key"),
            ("tool_choice", json!("maybe"), "value"),
            ("own", Value::Null, "value"),
            ("own", json!("x".repeat(MAX_SIZE)), "value"),
            ("Not A Key", json!(1), "key"),
            ("", json!(1), "key"),
        ] {
            assert_eq!(check(key, &value).unwrap_err().param(), Some(param), "{key} = {value:.100}");
        }
    }
}
