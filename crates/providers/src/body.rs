//! Reads a request that needs translation.

use bytes::Bytes;
use loam_kernel::{Error, Result, digest_of, hex};
use serde_json::{Map, Value};

/// The fields of a request, removed one by one: what remains is what the translation doesn't know.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub(crate) fn read(body: &Bytes) -> Result<Self> {
        // the envelope was parsed from it before, so it is an object
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|e| Error::invalid("body", format!("is not valid JSON: {e}")))
    }

    /// Reads a request that was translated to another format.
    pub(crate) fn of(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Removes a field; null counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// Removes a field that holds a list.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(Error::invalid(name, "must be a list")),
        }
    }

    /// Removes a field that holds a string.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::invalid(name, "must be a string")),
        }
    }

    /// The remaining fields.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.0
    }
}

/// The content of a message as a list of parts: a plain string becomes one text part.
pub(crate) fn parts(content: Option<&Value>, path: &str) -> Result<Vec<Value>> {
    match content {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![serde_json::json!({"type": "text", "text": text})]),
        Some(Value::Array(parts)) => Ok(parts.clone()),
        Some(_) => Err(Error::invalid(path, "must be a string or a list of parts")),
    }
}

/// The JSON Schema of a tool's parameters as providers accept it: of an object.
pub(crate) fn object_schema(schema: Option<&Value>) -> Value {
    let mut schema = schema.and_then(Value::as_object).cloned().unwrap_or_default();
    schema.entry("type").or_insert_with(|| "object".into());
    schema.into()
}

/// Characters that OpenAI accepts as `user`.
pub(crate) const MAX_OPENAI_USER: usize = 64;
/// Characters that Anthropic accepts as `metadata.user_id`.
pub(crate) const MAX_ANTHROPIC_USER: usize = 256;
/// Characters that Dify accepts as `user`.
pub(crate) const MAX_DIFY_USER: usize = 255;

/// The end user as a provider accepts it: a name with more than `max` characters becomes a digest, which is always the
/// same for the same name.
pub(crate) fn bounded_user(user: Value, max: usize) -> Value {
    match user {
        Value::String(name) if name.chars().count() > max => hex(digest_of([name.as_bytes()])).into(),
        user => user,
    }
}

/// A required string.
pub(crate) fn required<'a>(value: &'a Value, field: &str, path: &str) -> Result<&'a str> {
    value[field].as_str().ok_or_else(|| Error::invalid(format!("{path}.{field}"), "must be a string"))
}

/// The media type and the base64 of a data URL.
pub(crate) fn data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}
