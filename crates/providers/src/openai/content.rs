//! The content of a chat completion's message, or of a delta of one, in the places where servers put it.

use serde_json::Value;

/// The reasoning and the text of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) reasoning: String,
    pub(crate) text: String,
}

/// Reads a message: absent, null and empty fields are alike, so that an empty one doesn't hide another.
pub(crate) fn content_parts(message: &Value) -> Content {
    let mut content = Content::default();
    for part in parts(&message["content"]) {
        match part {
            Value::String(text) => content.text.push_str(text),
            part if part["type"] == "thinking" => collect_text(&part["thinking"], &mut content.reasoning),
            part => content.text.push_str(part["text"].as_str().unwrap_or_default()),
        }
    }
    content.text.push_str(message["refusal"].as_str().unwrap_or_default());
    // a server that sends several fields repeats the reasoning in each
    for field in ["reasoning_content", "reasoning", "reasoning_details"] {
        if content.reasoning.is_empty() {
            collect_text(&message[field], &mut content.reasoning);
        }
    }
    content
}

/// A string counts as a list of one part.
fn parts(content: &Value) -> &[Value] {
    match content {
        Value::Array(parts) => parts,
        Value::String(_) => std::slice::from_ref(content),
        _ => &[],
    }
}

/// Collects the text of a string, or of a list of parts.
fn collect_text(value: &Value, out: &mut String) {
    for part in parts(value) {
        let text = part.as_str().or_else(|| part["text"].as_str()).or_else(|| part["summary"].as_str());
        out.push_str(text.unwrap_or_default());
    }
}

/// The arguments of a complete tool call as JSON in a string; a call without arguments has an empty object.
pub(crate) fn arguments_text(arguments: &Value) -> String {
    match arguments {
        Value::String(json) if !json.trim().is_empty() => json.clone(),
        Value::String(_) | Value::Null => "{}".to_owned(),
        // some servers send an object
        object => object.to_string(),
    }
}
