//! Schemas of tool arguments. They come from outside and are applied to model output, so validation must have
//! a bounded cost: patterns run in linear time, nothing is fetched, and the expanded size of a schema is
//! limited.

use std::collections::HashMap;

use jsonschema::{PatternOptions, Validator};
use loam_kernel::{Error, Result};
use serde_json::Value;

/// Maximum size of a schema in bytes.
const MAX_BYTES: usize = 16 << 10;
/// Maximum size of a compiled pattern in bytes.
const MAX_PATTERN: usize = 256 << 10;
/// Maximum number of subschemas and values of a schema after expanding its references.
const MAX_PARTS: u64 = 20_000;
/// Other kinds of references, whose targets are harder to resolve.
const OTHER_REFERENCES: [&str; 5] =
    ["$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"];
/// Maximum number of validation errors reported to the model at once.
const MAX_VIOLATIONS: usize = 5;

/// Rejects what is not a JSON Schema of an object.
pub(super) fn check(param: &str, schema: &Value) -> Result<()> {
    let bytes = serde_json::to_vec(schema).map_err(Error::internal)?.len();
    if bytes > MAX_BYTES {
        return Err(Error::invalid(param, format!("must be at most {MAX_BYTES} bytes")));
    }
    if !schema.is_object() {
        return Err(Error::invalid(param, "must be a JSON Schema object"));
    }
    if schema.get("type").is_some_and(|kind| kind != "object") {
        return Err(Error::invalid(format!("{param}.type"), "must be `object`, because arguments are named"));
    }
    jsonschema::meta::validate(schema).map_err(|error| {
        let path = format!("{param}{}", error.instance_path().to_string().replace('/', "."));
        Error::invalid(path, format!("is not valid in a JSON Schema: {}", error.masked_with("the value")))
    })
}

/// Compiles a schema that has been checked. Rejects recursive schemas and references to other documents.
pub(super) fn compiled(param: &str, schema: &Value) -> Result<Validator> {
    let parts = PartCounter { root: schema, counted: HashMap::new() }.parts(schema, &mut Vec::new());
    let problem = match parts {
        Ok(parts) if parts <= MAX_PARTS => None,
        Ok(_) => Some("is too large after expanding its references"),
        Err(problem) => Some(problem),
    };
    if let Some(problem) = problem {
        return Err(Error::invalid(param, problem));
    }
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN);
    let built = jsonschema::options().offline().with_pattern_options(patterns).build(schema);
    built.map_err(|error| {
        Error::invalid(param, format!("can't be used to check arguments: {}", error.masked_with("a value")))
    })
}

/// The validation errors of arguments, worded for the model; `None` if they are valid.
pub(super) fn violations(validator: &Validator, arguments: &Value) -> Option<String> {
    let violations: Vec<String> = validator
        .iter_errors(arguments)
        .take(MAX_VIOLATIONS)
        .map(|error| {
            let path = error.instance_path().to_string();
            let location = if path.is_empty() { "the arguments".to_owned() } else { format!("`{path}`") };
            format!("{location}: {error}")
        })
        .collect();
    (!violations.is_empty()).then(|| violations.join("; "))
}

/// Counts the parts of a schema after expanding its references.
struct PartCounter<'a> {
    root: &'a Value,
    /// Counts so far, by address.
    counted: HashMap<*const Value, u64>,
}

impl<'a> PartCounter<'a> {
    fn parts(&mut self, part: &'a Value, ancestors: &mut Vec<*const Value>) -> Result<u64, &'static str> {
        let address: *const Value = part;
        if let Some(counted) = self.counted.get(&address) {
            return Ok(*counted);
        }
        if ancestors.contains(&address) {
            return Err("is recursive, so arguments can't be validated at a bounded cost; expand it");
        }
        ancestors.push(address);
        let mut sum = 1_u64;
        match part {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let elsewhere =
                        OTHER_REFERENCES.contains(&name.as_str()) || name == "$id" && ancestors.len() > 1;
                    if elsewhere && !value.is_object() {
                        return Err("must use only `$ref` for references, to `#/…`");
                    }
                    // In draft 4, `id` has the meaning of `$id`.
                    if name == "$schema" && value.as_str().is_some_and(|draft| draft.contains("draft-04")) {
                        return Err("must be JSON Schema draft 6 or later");
                    }
                    sum = sum.saturating_add(match (name.as_str(), value) {
                        ("$ref", Value::String(to)) => {
                            let to = self.target(to)?;
                            self.parts(to, ancestors)?
                        }
                        (_, value) => self.parts(value, ancestors)?,
                    });
                }
            }
            Value::Array(items) => {
                for item in items {
                    sum = sum.saturating_add(self.parts(item, ancestors)?);
                }
            }
            _ => {}
        }
        ancestors.pop();
        self.counted.insert(address, sum);
        Ok(sum)
    }

    fn target(&self, to: &str) -> Result<&'a Value, &'static str> {
        let pointer = to.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let pointer = pointer.ok_or("must only refer to itself, as in `#/$defs/…`")?;
        self.root.pointer(pointer).ok_or("contains a reference to a missing part")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_invalid_object_schema_is_rejected() {
        assert!(check("p", &json!({"type": "object", "properties": {"a": {"type": "string"}}})).is_ok());
        for (schema, param) in [
            (json!([]), "p"),
            (json!({"type": "string"}), "p.type"),
            (json!({"type": "object", "properties": {"a": {"type": "strnig"}}}), "p.properties.a.type"),
            (json!({"type": "object", "required": "a"}), "p.required"),
            (json!({"description": "x".repeat(MAX_BYTES)}), "p"),
        ] {
            let error = check("p", &schema).expect_err("refused");
            assert_eq!(error.param(), Some(param), "{error:?}");
        }
    }

    #[test]
    fn an_unbounded_schema_is_rejected() {
        let mut definitions = json!({"d0": {"type": "string"}});
        for i in 1..60 {
            let below = json!({"$ref": format!("#/$defs/d{}", i - 1)});
            definitions[format!("d{i}")] = json!({"allOf": [below, below]});
        }
        for schema in [
            json!({"$defs": definitions, "properties": {"a": {"$ref": "#/$defs/d59"}}}),
            json!({"$ref": "#"}),
            json!({"properties": {"child": {"$ref": "#"}}}),
            json!({"properties": {"a": {"$ref": "https://example.com/schema.json"}}}),
            json!({"properties": {"a": {"$ref": "#/$defs/none"}}}),
            json!({"properties": {"a": {"$dynamicRef": "#a"}}}),
            json!({"properties": {"a": {"$id": "https://example.com/a", "$ref": "#/b"}}, "b": {}}),
            json!({"properties": {"a": {"pattern": "(?=x)"}}}),
            json!({"properties": {"a": {"pattern": "(\\w{1000}){1000}"}}}),
        ] {
            assert!(compiled("p", &schema).is_err(), "{schema}");
        }
        let shared = json!({"$defs": {"s": {"type": "string", "pattern": "^a+$"}}, "properties": {"a": {"$ref": "#/$defs/s"}, "customerRef": {"$ref": "#/$defs/s"}}});
        let validator = compiled("p", &shared).expect("bounded");
        assert_eq!(violations(&validator, &json!({"a": "aaa"})), None);
        let message = violations(&validator, &json!({"a": 1})).expect("refused");
        assert!(message.contains("`/a`") && message.contains("string"), "{message}");
    }
}
