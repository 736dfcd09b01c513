//! What comes in, whatever platform it is from; and the generic kind's own format.

use loam_http::surface::read_json;
use loam_kernel::{Error, Result, bounded};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The longest id of another platform.
const MAX_ID: usize = 190;
/// The longest text, in characters.
const MAX_TEXT: usize = 100_000;
const MAX_NAME: usize = 200;

/// Something that a platform sent.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The platform's id of it, by which a repetition is told.
    pub(super) event_id: String,
    pub(super) content: Content,
}

/// What it holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A message.
    Said(Box<Said>),
    /// The chat has another id from now on.
    Moved { from: String, to: String },
    /// Nothing for a session: why.
    Nothing(&'static str),
}

/// A message of another platform.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// Where it was said.
    pub(super) chat: Chat,
    /// Who said it.
    pub(super) sender: Sender,
    /// What was said.
    pub(super) message: Words,
    /// The platform's own; kept with the message.
    #[serde(default)]
    pub(super) metadata: Map<String, Value>,
}

/// A conversation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chat {
    pub(super) id: String,
    pub(super) title: Option<String>,
    /// Whether several people write there.
    #[serde(default)]
    pub(super) is_group: bool,
}

/// Somebody.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sender {
    pub(super) id: String,
    pub(super) name: Option<String>,
}

/// What somebody says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    /// The platform's id of the message.
    pub(super) id: Option<String>,
    pub(super) text: String,
}

/// The body of a message to a channel of kind `webhook`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    event_id: String,
    chat: Chat,
    sender: Sender,
    message: Words,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// Reads a message in the generic kind's format.
pub(super) fn read(body: &[u8]) -> Result<Incoming> {
    let Event { event_id, chat, sender, message, metadata } = read_json(body)?;
    let said = Said { chat, sender, message, metadata };
    let incoming = Incoming { event_id, content: Content::Said(Box::new(said)) };
    incoming.check()?;
    Ok(incoming)
}

impl Incoming {
    /// Refuses what is too long, or empty.
    pub(super) fn check(&self) -> Result<()> {
        bounded("event_id", &self.event_id, MAX_ID)?;
        let Content::Said(said) = &self.content else { return Ok(()) };
        bounded("chat.id", &said.chat.id, MAX_ID)?;
        bounded("sender.id", &said.sender.id, MAX_ID)?;
        bounded("message.text", &said.message.text, MAX_TEXT)?;
        let optional = [
            ("chat.title", &said.chat.title, MAX_NAME),
            ("sender.name", &said.sender.name, MAX_NAME),
            ("message.id", &said.message.id, MAX_ID),
        ];
        for (param, text, max) in optional {
            text.as_deref().map_or(Ok(()), |text| bounded(param, text, max))?;
        }
        // the size of the whole is bounded already; this is what stays with the message
        if said.metadata.len() > 50 {
            return Err(Error::invalid("metadata", "must have at most 50 fields"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut body = json!({
            "event_id": "e-1", "chat": { "id": "c-1" }, "sender": { "id": "s-1", "name": "Ann" },
            "message": { "id": "m-1", "text": "Grüße" }, "metadata": { "shard": 3 }
        });
        change(&mut body);
        body.to_string().into_bytes()
    }

    #[test]
    fn a_message_is_read() {
        let Incoming { event_id, content: Content::Said(said) } = read(&body(|_| {})).expect("valid") else {
            panic!("a message")
        };
        assert_eq!(
            (event_id.as_str(), said.chat.id.as_str(), said.message.text.as_str()),
            ("e-1", "c-1", "Grüße")
        );
        assert!(!said.chat.is_group && said.metadata["shard"] == 3);
    }

    #[test]
    fn what_is_missing_too_long_or_unknown_is_named() {
        type Change = fn(&mut Value);
        let fault = |change: Change| {
            let error = read(&body(change)).expect_err("refused");
            assert_eq!(error.status(), 400);
            format!("{} {}", error.param().unwrap_or_default(), error.message())
        };
        let cases: [(&str, Change); 7] = [
            ("event_id", |b| drop(b.as_object_mut().and_then(|b| b.remove("event_id")))),
            ("event_id", |b| b["event_id"] = json!("x".repeat(191))),
            ("chat.id", |b| b["chat"]["id"] = json!("")),
            ("sender.id", |b| b["sender"]["id"] = json!(7)),
            ("message.text", |b| b["message"]["text"] = json!(" ")),
            ("message.text", |b| b["message"]["text"] = json!("a\0b")),
            ("parts", |b| b["message"]["parts"] = json!([])),
        ];
        for (param, change) in cases {
            let said = fault(change);
            assert!(said.contains(param), "{param}: {said}");
        }
    }
}
