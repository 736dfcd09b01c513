//! Laying one value over another.

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
}
