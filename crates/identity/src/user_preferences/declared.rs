//! Keys with a declared schema. Fields that a value omits have their defaults, also in values of older versions.

use loam_kernel::Result;
use loam_platform::schema::Schema;
use serde_json::{Value, json};

/// A key with a declared schema.
pub(crate) struct Declared {
    pub(crate) key: &'static str,
    /// The default: an object with every field.
    default: fn() -> Value,
    schema: Schema,
}

static DECLARED: [Declared; 2] = [
    Declared {
        key: "ai_settings",
        default: || json!({ "confidence_threshold": 0.7, "model": null, "language": null }),
        schema: Schema::new(ai_settings),
    },
    Declared {
        key: "notification_prefs",
        default: || json!({ "email": true }),
        schema: Schema::new(notification_prefs),
    },
];

fn ai_settings() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "confidence_threshold": { "type": "number", "minimum": 0, "maximum": 1 },
            "model": { "type": ["string", "null"], "minLength": 1, "maxLength": 255 },
            "language": { "type": ["string", "null"], "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$" },
        }
    })
}

fn notification_prefs() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": { "email": { "type": "boolean" } } })
}

/// Every declared key, in order.
pub(crate) fn all() -> impl Iterator<Item = &'static Declared> {
    DECLARED.iter()
}

/// The declaration of a key; none for a free-form key.
pub(crate) fn find(key: &str) -> Option<&'static Declared> {
    all().find(|declared| declared.key == key)
}

impl Declared {
    /// Rejects a value that violates the schema, naming the invalid field.
    pub(crate) fn check(&self, value: &Value) -> Result<()> {
        self.schema.check("value", value)
    }

    /// The value with the defaults of omitted fields, and without fields that only earlier versions had.
    pub(crate) fn filled(&self, value: &Value) -> Value {
        let mut filled = (self.default)();
        for (name, field) in filled.as_object_mut().into_iter().flatten() {
            if let Some(set) = value.get(name) {
                *field = set.clone();
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_has_its_own_form_and_names_every_field() {
        for (declared, schema) in all().zip([ai_settings(), notification_prefs()]) {
            let default = (declared.default)();
            declared.check(&default).expect("a default is valid");
            let fields = schema["properties"].as_object().expect("fields");
            let named = default.as_object().expect("an object");
            assert!(named.keys().eq(fields.keys()), "{}", declared.key);
        }
    }

    #[test]
    fn what_a_value_leaves_out_is_the_default() {
        let prefs = find("notification_prefs").expect("declared");
        let earlier = json!({ "email": false, "push": true });
        assert_eq!(prefs.filled(&earlier), json!({ "email": false }), "`push` is no longer a field");
        assert_eq!(prefs.filled(&json!({}))["email"], true);
        assert_eq!(find("ai_settings").expect("declared").filled(&json!({}))["confidence_threshold"], 0.7);
    }

    #[test]
    fn a_value_of_another_form_is_refused_with_its_field() {
        let settings = find("ai_settings").expect("declared");
        for (value, param) in [
            (json!({ "confidence_threshold": 1.5 }), "value.confidence_threshold"),
            (json!({ "confidence_threshold": "high" }), "value.confidence_threshold"),
            (json!({ "model": "" }), "value.model"),
            (json!({ "language": "not a language" }), "value.language"),
            (json!({ "temperature": 1 }), "value.temperature"),
            (json!(0.7), "value"),
            (json!(null), "value"),
        ] {
            assert_eq!(settings.check(&value).expect_err("refused").param(), Some(param), "{value}");
        }
        settings.check(&json!({ "confidence_threshold": 0, "language": "zh-Hans" })).expect("taken");
    }
}
