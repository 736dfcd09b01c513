//! Schemas of arguments. They come from outside, and are put to use on what a model wrote, so neither may cost the server
//! more than its size: patterns run in linear time, nothing is fetched, and a schema can't unfold without bounds.

use std::collections::HashMap;

use jsonschema::{PatternOptions, Validator};
use loam_kernel::{Error, Result};
use serde_json::Value;

/// Bytes of a schema.
const MAX_BYTES: usize = 16 << 10;
/// Bytes that one pattern may take when it is compiled.
const MAX_PATTERN: usize = 256 << 10;
/// Parts that a schema may have when its references are written out.
const MAX_PARTS: u64 = 20_000;
/// Other ways to refer to a schema, whose targets are not as plain.
const REFERRING: [&str; 5] =
    ["$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"];
/// Faults that a model is told of at once.
const MAX_FAULTS: usize = 5;

/// Refuses what is no JSON Schema of an object.
pub(super) fn check(param: &str, schema: &Value) -> Result<()> {
    let bytes = serde_json::to_vec(schema).map_err(Error::internal)?.len();
    if bytes > MAX_BYTES {
        return Err(Error::invalid(param, format!("must be at most {MAX_BYTES} bytes")));
    }
    if !schema.is_object() {
        return Err(Error::invalid(param, "must be a JSON Schema, an object"));
    }
    if schema.get("type").is_some_and(|kind| kind != "object") {
        return Err(Error::invalid(format!("{param}.type"), "must be `object`: arguments have names"));
    }
    jsonschema::meta::validate(schema).map_err(|fault| {
        let path = format!("{param}{}", fault.instance_path().to_string().replace('/', "."));
        Error::invalid(path, format!("is not valid in a JSON Schema: {}", fault.masked_with("the value")))
    })
}

/// A schema that has been checked, ready to check arguments with. One that refers to itself, or to elsewhere, is refused.
pub(super) fn compiled(param: &str, schema: &Value) -> Result<Validator> {
    let parts = Unfolding { whole: schema, known: HashMap::new() }.parts(schema, &mut Vec::new());
    let why = match parts {
        Ok(parts) if parts <= MAX_PARTS => None,
        Ok(_) => Some("has too many parts when its references are written out"),
        Err(why) => Some(why),
    };
    if let Some(why) = why {
        return Err(Error::invalid(param, why));
    }
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN);
    let built = jsonschema::options().offline().with_pattern_options(patterns).build(schema);
    built.map_err(|fault| {
        Error::invalid(param, format!("can't be used to check arguments: {}", fault.masked_with("a value")))
    })
}

/// What is wrong with arguments, in words for the model; none if nothing is.
pub(super) fn faults(validator: &Validator, arguments: &Value) -> Option<String> {
    let faults: Vec<String> = validator
        .iter_errors(arguments)
        .take(MAX_FAULTS)
        .map(|fault| {
            let path = fault.instance_path().to_string();
            let place = if path.is_empty() { "the arguments".to_owned() } else { format!("`{path}`") };
            format!("{place}: {fault}")
        })
        .collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// Counts the parts of a schema with its references written out.
struct Unfolding<'a> {
    whole: &'a Value,
    /// What has been counted, by its place in memory.
    known: HashMap<*const Value, u64>,
}

impl<'a> Unfolding<'a> {
    fn parts(&mut self, part: &'a Value, above: &mut Vec<*const Value>) -> Result<u64, &'static str> {
        let place: *const Value = part;
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        if above.contains(&place) {
            return Err("refers to itself, so arguments can't be checked at a bounded cost: write it out");
        }
        above.push(place);
        let mut sum = 1_u64;
        match part {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let elsewhere = REFERRING.contains(&name.as_str()) || name == "$id" && above.len() > 1;
                    if elsewhere && !value.is_object() {
                        return Err("must refer by `$ref` alone, and to `#/…`");
                    }
                    // there `id` would be what `$id` is
                    if name == "$schema" && value.as_str().is_some_and(|draft| draft.contains("draft-04")) {
                        return Err("must be of draft 6 of JSON Schema or later");
                    }
                    sum = sum.saturating_add(match (name.as_str(), value) {
                        ("$ref", Value::String(to)) => {
                            let to = self.target(to)?;
                            self.parts(to, above)?
                        }
                        (_, value) => self.parts(value, above)?,
                    });
                }
            }
            Value::Array(items) => {
                for item in items {
                    sum = sum.saturating_add(self.parts(item, above)?);
                }
            }
            _ => {}
        }
        above.pop();
        self.known.insert(place, sum);
        Ok(sum)
    }

    fn target(&self, to: &str) -> Result<&'a Value, &'static str> {
        let pointer = to.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let pointer = pointer.ok_or("must refer to itself alone, as in `#/$defs/…`")?;
        self.whole.pointer(pointer).ok_or("refers to something that it doesn't have")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_schema_of_an_object_is_refused() {
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
    fn a_schema_that_unfolds_without_bounds_is_refused() {
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
        assert_eq!(faults(&validator, &json!({"a": "aaa"})), None);
        let said = faults(&validator, &json!({"a": 1})).expect("refused");
        assert!(said.contains("`/a`") && said.contains("string"), "{said}");
    }
}
