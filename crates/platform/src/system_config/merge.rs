//! Laying one value over another, and changing one by a merge patch.

use serde_json::Value;

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

/// `stored`, changed by a merge patch (RFC 7396), except that null is the new value of a field for which null is one by
/// its schema: such as no limit, or retention for ever.
pub(super) fn patched(schema: &Value, stored: &Value, change: &Value) -> Value {
    let Value::Object(change) = change else { return change.clone() };
    let mut all = stored.as_object().cloned().unwrap_or_default();
    for (name, value) in change {
        let of_field = schema.get("properties").and_then(|properties| properties.get(name));
        let schema = of_field.or(schema.get("additionalProperties")).unwrap_or(&Value::Null);
        if value.is_null() && !allows_null(schema) {
            all.remove(name);
        } else {
            let value = patched(schema, all.get(name).unwrap_or(&Value::Null), value);
            all.insert(name.clone(), value);
        }
    }
    Value::Object(all)
}

fn allows_null(schema: &Value) -> bool {
    schema["type"].as_array().is_some_and(|types| types.iter().any(|name| name == "null"))
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
    fn null_sets_what_may_be_null_and_removes_the_rest() {
        let days = json!({ "type": ["integer", "null"] });
        let project = json!({ "type": "object", "properties": { "days": days } });
        let schema = json!({
            "type": "object",
            "properties": {
                "days": days, "count": { "type": "integer" },
                "projects": { "type": "object", "additionalProperties": project }
            }
        });
        let stored = json!({ "days": 3, "count": 1, "projects": { "a": { "days": 1 }, "b": { "days": 2 } } });
        let change = json!({ "days": null, "count": null, "projects": { "a": { "days": null }, "b": null } });
        assert_eq!(
            patched(&schema, &stored, &change),
            json!({ "days": null, "projects": { "a": { "days": null } } })
        );
        assert_eq!(patched(&schema, &stored, &json!({})), stored);
        assert_eq!(patched(&schema, &stored, &json!(2)), json!(2));
    }
}
