//! Reading a request that is to be translated.

use bytes::Bytes;
use loam_kernel::{Error, Result};
use serde_json::{Map, Value};

/// The fields of a request, taken out one by one: what is left at the end is what the translation doesn't know.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub(crate) fn read(body: &Bytes) -> Result<Self> {
        // the head has been read from it already, so it is an object
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|e| Error::invalid("body", format!("is not valid JSON: {e}")))
    }

    /// Takes a field; null is as good as nothing.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a field that holds a list.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(Error::invalid(name, "must be a list")),
        }
    }

    /// Takes a field that holds a text.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::invalid(name, "must be a string")),
        }
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.0
    }
}

/// The content of a message as a list of parts: a text alone is a part of its own.
pub(crate) fn parts(content: Option<&Value>, path: &str) -> Result<Vec<Value>> {
    match content {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![serde_json::json!({"type": "text", "text": text})]),
        Some(Value::Array(parts)) => Ok(parts.clone()),
        Some(_) => Err(Error::invalid(path, "must be a string or a list of parts")),
    }
}

/// A string that must be there.
pub(crate) fn required<'a>(value: &'a Value, field: &str, path: &str) -> Result<&'a str> {
    value[field].as_str().ok_or_else(|| Error::invalid(format!("{path}.{field}"), "must be a string"))
}

/// The media type and the base64 of a data URL.
pub(crate) fn data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}
