//! Laying one value over another.

use serde_json::{Map, Value};

/// `over` where it says something, `below` elsewhere: objects field by field, anything else as a whole.
pub(super) fn overlay(below: &Value, over: &Value) -> Value {
    match (below, over) {
        (Value::Object(below), Value::Object(over)) => {
            let mut all = below.clone();
            for (name, value) in over {
                let value = below.get(name).map_or_else(|| value.clone(), |old| overlay(old, value));
                all.insert(name.clone(), value);
            }
            Value::Object(all)
        }
        _ => over.clone(),
    }
}

/// A merge patch (RFC 7396): as laying over, but null takes a field away.
pub(super) fn patch(target: &Value, change: &Value) -> Value {
    let Value::Object(change) = change else { return change.clone() };
    let mut all = target.as_object().cloned().unwrap_or_else(Map::new);
    for (name, value) in change {
        if value.is_null() {
            all.remove(name);
        } else {
            let old = all.get(name).cloned().unwrap_or(Value::Null);
            all.insert(name.clone(), patch(&old, value));
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let below = json!({ "a": 1, "b": { "c": 2, "d": [1, 2] }, "e": null });
        assert_eq!(overlay(&below, &json!({})), below);
        let over = json!({ "b": { "d": [3] }, "e": { "f": 1 } });
        assert_eq!(overlay(&below, &over), json!({ "a": 1, "b": { "c": 2, "d": [3] }, "e": { "f": 1 } }));
        assert_eq!(overlay(&json!([1]), &json!(2)), json!(2));
    }

    #[test]
    fn a_null_in_a_patch_takes_a_field_away() {
        let target = json!({ "a": 1, "b": { "c": 2, "d": 3 } });
        assert_eq!(
            patch(&target, &json!({ "a": null, "b": { "c": null, "e": 4 } })),
            json!({ "b": { "d": 3, "e": 4 } })
        );
        assert_eq!(patch(&json!(1), &json!({ "a": { "b": null } })), json!({ "a": {} }));
    }
}
