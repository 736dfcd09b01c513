//! Declared JSON Schemas, and what they refuse, in words that don't repeat the value.

use std::sync::OnceLock;

use jsonschema::error::{TypeKind, ValidationErrorKind as Fault};
use jsonschema::{ValidationError, Validator};
use loam_kernel::{Error, Result, truncate_chars};
use serde_json::Value;

/// A JSON Schema that the code declares. It is compiled when it is first needed.
pub struct Schema {
    declared: fn() -> Value,
    validator: OnceLock<Validator>,
}

impl Schema {
    /// A schema.
    pub const fn new(declared: fn() -> Value) -> Self {
        Self { declared, validator: OnceLock::new() }
    }

    /// Refuses a value that the schema doesn't allow, naming the field at fault below `root`.
    ///
    /// # Errors
    /// Also when the schema itself is not valid, which is the code's fault.
    pub fn check(&self, root: &str, value: &Value) -> Result<()> {
        let validator = match self.validator.get() {
            Some(validator) => validator,
            None => {
                let built = jsonschema::options().should_validate_formats(true).build(&(self.declared)());
                let built =
                    built.map_err(|e| Error::internal(format!("the schema of {root} is not valid: {e}")))?;
                self.validator.get_or_init(|| built)
            }
        };
        validator.iter_errors(value).next().map_or(Ok(()), |fault| Err(to_error(root, &fault)))
    }
}

/// The error for the caller, with the path of the field at fault.
pub(crate) fn to_error(root: &str, fault: &ValidationError<'_>) -> Error {
    let mut param = format!("{root}{}", fault.instance_path().to_string().replace('/', "."));
    let mut below = |name: &str| {
        param.push('.');
        param.push_str(truncate_chars(name, 100));
    };
    let message = match fault.kind() {
        Fault::AdditionalProperties { unexpected } | Fault::UnevaluatedProperties { unexpected } => {
            unexpected.iter().take(1).for_each(|name| below(name));
            "there is no such field".to_owned()
        }
        Fault::Required { property } => {
            below(property.as_str().unwrap_or_default());
            "is missing".to_owned()
        }
        Fault::Type { kind: TypeKind::Single(kind) } => format!("must be of the type {kind}"),
        Fault::Minimum { limit } => format!("must be at least {limit}"),
        Fault::Maximum { limit } => format!("must be at most {limit}"),
        Fault::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Fault::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Fault::MinLength { limit } => format!("must be at least {limit} characters long"),
        Fault::MaxLength { limit } => format!("must be at most {limit} characters long"),
        Fault::MinItems { limit } => format!("must have at least {limit} items"),
        Fault::MaxItems { limit } => format!("must have at most {limit} items"),
        Fault::Pattern { pattern } => format!("must match {pattern}"),
        Fault::Enum { options } => format!("must be one of {}", listed(options)),
        _ => fault.masked_with("the value").to_string(),
    };
    Error::invalid(param, message)
}

fn listed(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    options.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(value: &Value) -> (String, String) {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "share": { "type": "number", "minimum": 0, "maximum": 1 },
                "inner": { "type": "object", "additionalProperties": false, "properties": { "mode": { "enum": ["a", "b"] } } }
            }
        });
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let error = validator
            .iter_errors(value)
            .next()
            .map(|fault| to_error("config_value", &fault))
            .expect("refused");
        (error.param().unwrap_or_default().to_owned(), error.message().to_owned())
    }

    #[test]
    fn a_refusal_names_the_field_and_not_the_value() {
        for (value, param, message) in [
            (json!([]), "config_value", "must be of the type object"),
            (json!({ "share": "sk-secret" }), "config_value.share", "must be of the type number"),
            (json!({ "share": 2.5 }), "config_value.share", "must be at most 1"),
            (json!({ "share": -1 }), "config_value.share", "must be at least 0"),
            (json!({ "shore": 1 }), "config_value.shore", "there is no such field"),
            (
                json!({ "inner": { "mode": "sk-secret" } }),
                "config_value.inner.mode",
                "must be one of \"a\", \"b\"",
            ),
        ] {
            assert_eq!(refused(&value), (param.to_owned(), message.to_owned()));
        }
    }
}
