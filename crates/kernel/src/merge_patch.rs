//! Changes of JSON objects: merge patches (RFC 7396).

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// The largest object that changes may add up to, as JSON: each adds fields, and none is larger than a request.
const MAX_BYTES: usize = 1 << 20;

/// The value of a field after a change: objects are merged field by field, null removes a field, anything else
/// replaces.
pub fn merge_patch(stored: &Value, change: &Value) -> Value {
    let Value::Object(change) = change else { return change.clone() };
    let mut all = stored.as_object().cloned().unwrap_or_default();
    for (name, value) in change {
        if value.is_null() {
            all.remove(name);
        } else {
            let merged = merge_patch(all.get(name).unwrap_or(&Value::Null), value);
            all.insert(name.clone(), merged);
        }
    }
    Value::Object(all)
}

/// Applies a change to the object in a field of a resource.
///
/// # Errors
/// When the result is too large.
pub fn merge_object(param: &str, stored: &Value, change: Map<String, Value>) -> Result<Value> {
    let merged = merge_patch(stored, &Value::Object(change));
    let size = merged.to_string().len();
    if size > MAX_BYTES {
        let message = format!("would have {size} bytes as JSON; at most {MAX_BYTES} are allowed");
        return Err(Error::invalid(param, message));
    }
    Ok(merged)
}

/// The same for an object of a known type: a field that null removes gets its default.
///
/// # Errors
/// When the result is not of the type; the message names the field.
pub fn merge_typed<T: DeserializeOwned>(
    param: &str,
    stored: &Value,
    change: Map<String, Value>,
) -> Result<T> {
    let merged = merge_object(param, stored, change)?;
    serde_json::from_value(merged).map_err(|error| Error::invalid(param, format!("is invalid: {error}")))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { unreachable!("an object") };
        object
    }

    #[test]
    fn what_is_left_out_stays_and_null_removes() {
        let stored = json!({ "a": 1, "b": { "c": 2, "d": [1, 2] } });
        assert_eq!(merge_patch(&stored, &json!({})), stored);
        assert_eq!(
            merge_patch(&stored, &json!({ "a": null, "b": { "c": null, "d": [3], "e": { "f": null } } })),
            json!({ "b": { "d": [3], "e": {} } })
        );
        assert_eq!(merge_patch(&json!(1), &json!({ "a": { "b": null } })), json!({ "a": {} }));
        assert_eq!(merge_patch(&stored, &json!(null)), json!(null));
    }

    #[test]
    fn changes_can_not_add_up_without_end() {
        let long = "x".repeat(MAX_BYTES / 2);
        let stored = merge_object("metadata", &json!({}), object(json!({ "a": long }))).expect("fits");
        let error = merge_object("metadata", &stored, object(json!({ "b": long }))).expect_err("too large");
        assert_eq!(error.param(), Some("metadata"));
    }

    #[test]
    fn a_typed_object_has_defaults_and_no_unknown_fields() {
        #[derive(Debug, Default, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Rule {
            rounds: u32,
            pause: u32,
        }
        let stored = json!({ "rounds": 3, "pause": 4 });
        let change = |change: Value| merge_typed::<Rule>("rule", &stored, object(change));
        assert_eq!(change(json!({ "pause": null })).expect("valid"), Rule { rounds: 3, pause: 0 });
        assert_eq!(change(json!({ "pause": "long" })).expect_err("not a number").param(), Some("rule"));
        assert!(change(json!({ "paws": 4 })).expect_err("unknown").message().contains("paws"));
    }
}
