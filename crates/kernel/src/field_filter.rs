//! Filters of lists by the fields of a JSON object.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Maximum number of fields in a filter.
const MAX_FIELDS: usize = 10;

/// The fields that a parameter asks for, with their values: a JSON object of texts, numbers, booleans and nulls.
///
/// # Errors
/// When it is anything else; the message names the parameter.
pub fn field_filter(param: &str, text: &str) -> Result<Map<String, Value>> {
    let invalid = |message: String| Error::invalid(param, message);
    let fields: Map<String, Value> = serde_json::from_str(text)
        .map_err(|_| invalid("must be a JSON object such as {\"plan\":\"pro\"}".to_owned()))?;
    if fields.len() > MAX_FIELDS {
        return Err(invalid(format!("must name at most {MAX_FIELDS} fields")));
    }
    let nul = |text: &str| text.contains('\0');
    for (name, value) in &fields {
        if value.is_array() || value.is_object() {
            return Err(invalid(format!("`{name}` must be a string, a number, a boolean or null")));
        }
        if nul(name) || value.as_str().is_some_and(nul) {
            return Err(invalid("must not contain a NUL character".to_owned()));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_by_fields_is_an_object_of_plain_values() {
        let fields = |text: &str| field_filter("metadata", text);
        assert_eq!(fields(r#"{"plan":"pro","n":1,"ok":true,"no":null}"#).unwrap().len(), 4);
        let many: Map<String, Value> = (0..11).map(|n| (n.to_string(), Value::Null)).collect();
        for text in ["", "pro", "[]", "{", r#"{"a":[1]}"#, r#"{"a":{}}"#, r#"{"a":"\u0000"}"#] {
            assert_eq!(fields(text).unwrap_err().param(), Some("metadata"), "{text}");
        }
        assert!(fields(&Value::Object(many).to_string()).is_err());
    }
}
