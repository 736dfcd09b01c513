//! Validates message content: texts and OpenAI's content parts.

use loam_kernel::{Error, Result, bounded};
use serde_json::{Map, Value};

use super::entity::Role;
use crate::checks::json_size;

/// Maximum size of a text in bytes.
const MAX_TEXT: usize = 1 << 20;
/// Maximum size of all content parts in bytes, including images and audio.
const MAX_PARTS_SIZE: usize = 8 << 20;
const MAX_PARTS: usize = 64;
const MAX_TOOL_CALLS: usize = 128;
const MAX_TOOL_CALLS_SIZE: usize = 256 << 10;

/// Validated content of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    /// The text; for content parts, the joined text parts.
    pub(crate) text: String,
    /// The content parts, unless the content is plain text.
    pub(crate) parts: Option<Value>,
    pub(crate) tool_calls: Option<Value>,
    pub(crate) tool_call_id: Option<String>,
}

impl Content {
    /// Validates the content of a message of this role.
    pub(crate) fn check(
        role: Role,
        content: Option<Value>,
        tool_calls: Option<Value>,
        tool_call_id: Option<String>,
    ) -> Result<Self> {
        match (role, &tool_call_id) {
            (Role::Tool, Some(id)) => bounded("tool_call_id", id, 200)?,
            (Role::Tool, None) => {
                return Err(Error::invalid(
                    "tool_call_id",
                    "must be the ID of the tool call that this message answers",
                ));
            }
            (_, Some(_)) => {
                return Err(Error::invalid("tool_call_id", "is only allowed for messages of role `tool`"));
            }
            (_, None) => {}
        }
        if let Some(calls) = &tool_calls {
            check_tool_calls(role, calls)?;
        }
        let (text, parts) = match content.filter(|content| !content.is_null()) {
            Some(content) => parse_content(role, content)?,
            None if tool_calls.is_some() => (String::new(), None),
            None => return Err(Error::invalid("content", "must be a string or a list of content parts")),
        };
        Ok(Self { text, parts, tool_calls, tool_call_id })
    }
}

/// The text of a content, and its parts unless it is plain text.
pub(super) fn parse_content(role: Role, content: Value) -> Result<(String, Option<Value>)> {
    match content {
        Value::String(text) => {
            check_text("content", &text)?;
            Ok((text, None))
        }
        Value::Array(parts) => {
            if parts.is_empty() || parts.len() > MAX_PARTS {
                return Err(Error::invalid("content", format!("must have 1 to {MAX_PARTS} parts")));
            }
            json_size("content", &parts, MAX_PARTS_SIZE)?;
            let mut texts = Vec::new();
            for (i, part) in parts.iter().enumerate() {
                texts.extend(check_part(role, &format!("content[{i}]"), part)?);
            }
            let text = texts.join("\n");
            check_text("content", &text)?;
            Ok((text, Some(parts.into())))
        }
        _ => Err(Error::invalid("content", "must be a string or a list of content parts")),
    }
}

fn check_text(param: &str, text: &str) -> Result<()> {
    if text.len() > MAX_TEXT {
        return Err(Error::invalid(param, format!("must be at most {MAX_TEXT} bytes of text")));
    }
    loam_kernel::no_nul(param, text)
}

/// Validates a part. Returns its text if it is a text part.
fn check_part<'a>(role: Role, path: &str, part: &'a Value) -> Result<Option<&'a str>> {
    let part = object(path, part)?;
    let kind = text(path, part, "type")?;
    if kind != "text" && role != Role::User {
        let message = "only messages of role `user` have parts other than `text`";
        return Err(Error::invalid(format!("{path}.type"), message));
    }
    match kind {
        "text" => {
            only(path, part, &["type", "text"])?;
            text(path, part, "text").map(Some)
        }
        "image_url" => {
            let (path, image) = inner(path, part, "image_url")?;
            only(&path, image, &["url", "detail"])?;
            let url = text(&path, image, "url")?;
            if !["https://", "http://", "data:image/"].iter().any(|begin| url.starts_with(begin)) {
                let message = "must begin with `https://`, `http://` or `data:image/`";
                return Err(Error::invalid(format!("{path}.url"), message));
            }
            one_of(&path, image, "detail", &["auto", "low", "high"]).map(|()| None)
        }
        "input_audio" => {
            let (path, audio) = inner(path, part, "input_audio")?;
            only(&path, audio, &["data", "format"])?;
            text(&path, audio, "data")?;
            text(&path, audio, "format")?;
            one_of(&path, audio, "format", &["wav", "mp3"]).map(|()| None)
        }
        "file" => {
            let (path, file) = inner(path, part, "file")?;
            only(&path, file, &["file_id", "file_data", "filename"])?;
            if file.contains_key("file_id") == file.contains_key("file_data") {
                return Err(Error::invalid(path, "must have either `file_id` or `file_data`"));
            }
            for name in ["file_id", "file_data", "filename"] {
                if file.contains_key(name) {
                    text(&path, file, name)?;
                }
            }
            Ok(None)
        }
        _ => {
            let message = "must be `text`, `image_url`, `input_audio` or `file`";
            Err(Error::invalid(format!("{path}.type"), message))
        }
    }
}

fn check_tool_calls(role: Role, calls: &Value) -> Result<()> {
    const PATH: &str = "tool_calls";
    if role != Role::Assistant {
        return Err(Error::invalid(PATH, "is only allowed for messages of role `assistant`"));
    }
    let list = calls.as_array().filter(|list| !list.is_empty() && list.len() <= MAX_TOOL_CALLS);
    let list =
        list.ok_or_else(|| Error::invalid(PATH, format!("must be a list of 1 to {MAX_TOOL_CALLS}")))?;
    json_size(PATH, calls, MAX_TOOL_CALLS_SIZE)?;
    for (i, call) in list.iter().enumerate() {
        let path = format!("{PATH}[{i}]");
        let call = object(&path, call)?;
        only(&path, call, &["id", "type", "function"])?;
        text(&path, call, "id")?;
        text(&path, call, "type")?;
        one_of(&path, call, "type", &["function"])?;
        let (path, function) = inner_of(&path, call, "function")?;
        only(&path, function, &["name", "arguments"])?;
        text(&path, function, "name")?;
        text(&path, function, "arguments")?;
    }
    Ok(())
}

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| Error::invalid(path, "must be an object"))
}

/// The object under the part's type name; no other fields are allowed beside it.
fn inner<'a>(
    path: &str,
    part: &'a Map<String, Value>,
    name: &str,
) -> Result<(String, &'a Map<String, Value>)> {
    only(path, part, &["type", name])?;
    inner_of(path, part, name)
}

fn inner_of<'a>(
    path: &str,
    outer: &'a Map<String, Value>,
    name: &str,
) -> Result<(String, &'a Map<String, Value>)> {
    let path = format!("{path}.{name}");
    let value = outer.get(name).ok_or_else(|| Error::invalid(&path, "is missing"))?;
    Ok((path.clone(), object(&path, value)?))
}

fn text<'a>(path: &str, fields: &'a Map<String, Value>, name: &str) -> Result<&'a str> {
    let text = fields.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Error::invalid(format!("{path}.{name}"), "must be a string"))
}

fn one_of(path: &str, fields: &Map<String, Value>, name: &str, known: &[&str]) -> Result<()> {
    match fields.get(name) {
        Some(value) if !value.as_str().is_some_and(|value| known.contains(&value)) => {
            let message = format!("must be `{}`", known.join("`, `"));
            Err(Error::invalid(format!("{path}.{name}"), message))
        }
        _ => Ok(()),
    }
}

fn only(path: &str, fields: &Map<String, Value>, known: &[&str]) -> Result<()> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Error::invalid(format!("{path}.{name}"), "unknown field")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn param(role: Role, content: Value) -> String {
        let error = Content::check(role, Some(content), None, None).unwrap_err();
        assert_eq!(error.status(), 400);
        error.param().unwrap().to_owned()
    }

    #[test]
    fn all_kinds_of_parts_are_accepted_and_their_texts_are_joined() {
        let parts = json!([
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
            {"type": "text", "text": "and tell"}
        ]);
        let content = Content::check(Role::User, Some(parts.clone()), None, None).unwrap();
        assert_eq!((content.text.as_str(), content.parts), ("look\nand tell", Some(parts)));
    }

    #[test]
    fn an_invalid_part_is_named() {
        let image = |url: &str| json!([{"type": "image_url", "image_url": {"url": url}}]);
        for (content, at) in [
            (json!(5), "content"),
            (json!([]), "content"),
            (json!(["x"]), "content[0]"),
            (json!([{"text": "x"}]), "content[0].type"),
            (json!([{"type": "text"}]), "content[0].text"),
            (json!([{"type": "text", "text": "x"}, {"type": "video"}]), "content[1].type"),
            (json!([{"type": "text", "text": "x", "more": 1}]), "content[0].more"),
            (json!([{"type": "image_url"}]), "content[0].image_url"),
            (image("file:///etc/passwd"), "content[0].image_url.url"),
            (json!([{"type": "file", "file": {}}]), "content[0].file"),
            (
                json!([{"type": "input_audio", "input_audio": {"data": "", "format": "ogg"}}]),
                "content[0].input_audio.format",
            ),
            (json!("x".repeat(MAX_TEXT + 1)), "content"),
        ] {
            assert_eq!(param(Role::User, content.clone()), at, "{:.200}", content.to_string());
        }
        assert_eq!(param(Role::Assistant, image("https://example.com/a.png")), "content[0].type");
    }

    #[test]
    fn tool_calls_and_results_belong_to_their_roles() {
        let calls = json!([{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
        let content = Content::check(Role::Assistant, None, Some(calls.clone()), None).unwrap();
        assert_eq!((content.text.as_str(), content.tool_calls), ("", Some(calls.clone())));
        assert!(Content::check(Role::Tool, Some(json!("4")), None, Some("c1".to_owned())).is_ok());
        for (role, content, calls, id, at) in [
            (Role::User, json!("x"), Some(calls.clone()), None, "tool_calls"),
            (Role::Assistant, json!("x"), Some(json!([])), None, "tool_calls"),
            (Role::Assistant, json!("x"), Some(json!([{"id": "c"}])), None, "tool_calls[0].type"),
            (Role::Assistant, Value::Null, None, None, "content"),
            (Role::Tool, json!("4"), None, None, "tool_call_id"),
            (Role::User, json!("4"), None, Some("c1".to_owned()), "tool_call_id"),
        ] {
            let error = Content::check(role, Some(content), calls, id).unwrap_err();
            assert_eq!(error.param(), Some(at), "{error}");
        }
    }
}
