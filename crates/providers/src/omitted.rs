//! What a kind or a model can't take of a translated request, and the request is sent without: so that a long
//! conversation can go on with another provider. Each is noted, and the note is stored with the call's attempt.

use std::fmt::Display;

use serde_json::{Map, Value, json};

use crate::Feature;

/// The notes of one request, each once.
#[derive(Debug, Default)]
pub(crate) struct Omitted(Vec<String>);

impl Omitted {
    /// Notes that a field, or a part of the content, is left out.
    pub(crate) fn note(&mut self, what: &str, why: impl Display) {
        let note = format!("{what}: {why}");
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// Removes a field that the model refuses.
    pub(crate) fn remove(&mut self, fields: &mut Map<String, Value>, field: &str, why: impl Display) {
        if fields.remove(field).is_some_and(|value| !value.is_null()) {
            self.note(field, why);
        }
    }

    /// The text part in place of content that is left out, so that the model knows.
    pub(crate) fn content(&mut self, what: &str, why: impl Display) -> Value {
        self.note(what, why);
        json!({"type": "text", "text": format!("[{what} was left out: it can't be shown to this model]")})
    }

    /// Replaces the parts of a chat completion that a kind doesn't support.
    pub(crate) fn replace_parts(
        &mut self,
        kind: &str,
        unsupported: &[Feature],
        chat: &mut Map<String, Value>,
    ) {
        let messages = chat.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten();
        for content in messages.filter_map(|message| message.get_mut("content")) {
            let Some(parts) = content.as_array_mut() else { continue };
            for part in &mut *parts {
                let (feature, what) = match part["type"].as_str() {
                    Some("image_url") => (Feature::Images, "an image"),
                    Some("file") => (Feature::Documents, "a document"),
                    _ => continue,
                };
                if unsupported.contains(&feature) {
                    *part = self.content(what, feature.lacking(kind));
                }
            }
            // every server accepts a string, but not every one a list of text parts
            if let Some(texts) = parts.iter().map(|part| part["text"].as_str()).collect::<Option<Vec<_>>>() {
                *content = texts.join("\n\n").into();
            }
        }
    }

    pub(crate) fn into_notes(self) -> Vec<String> {
        self.0
    }
}
