//! Incoming events of all platforms, and the format of kind `webhook`.

use loam_http::surface::read_json;
use loam_kernel::{Error, Result, bounded};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Maximum length of an id of another platform.
const MAX_ID: usize = 190;
/// Maximum length of a text, in characters.
const MAX_TEXT: usize = 100_000;
const MAX_NAME: usize = 200;

/// An event received from a platform.
#[derive(Debug)]
pub(super) struct IncomingEvent {
    /// The platform's id of the event, which identifies duplicates.
    pub(super) event_id: String,
    pub(super) content: Content,
}

/// The content of an event.
#[derive(Debug)]
pub(super) enum Content {
    /// A message.
    Message(Box<ReceivedMessage>),
    /// The chat has a new id.
    ChatMigrated { from: String, to: String },
    /// Nothing to store, with the reason.
    Ignored(&'static str),
}

/// A message from another platform.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceivedMessage {
    /// The chat.
    pub(super) chat: Chat,
    /// The sender.
    pub(super) sender: Sender,
    /// The text.
    pub(super) message: MessageText,
    /// Data of the platform; stored with the message.
    #[serde(default)]
    pub(super) metadata: Map<String, Value>,
}

/// A chat.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chat {
    pub(super) id: String,
    pub(super) title: Option<String>,
    /// Whether it is a group chat.
    #[serde(default)]
    pub(super) is_group: bool,
}

/// The sender of a message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sender {
    pub(super) id: String,
    pub(super) name: Option<String>,
}

/// The text of a message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageText {
    /// ID of the message on the platform.
    pub(super) id: Option<String>,
    pub(super) text: String,
}

/// The body of a request to a channel of kind `webhook`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    event_id: String,
    chat: Chat,
    sender: Sender,
    message: MessageText,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// Parses an event of kind `webhook`.
pub(super) fn read(body: &[u8]) -> Result<IncomingEvent> {
    let Event { event_id, chat, sender, message, metadata } = read_json(body)?;
    let received = ReceivedMessage { chat, sender, message, metadata };
    let incoming = IncomingEvent { event_id, content: Content::Message(Box::new(received)) };
    incoming.check()?;
    Ok(incoming)
}

impl IncomingEvent {
    /// Rejects fields that are empty or too long.
    pub(super) fn check(&self) -> Result<()> {
        bounded("event_id", &self.event_id, MAX_ID)?;
        let Content::Message(received) = &self.content else { return Ok(()) };
        bounded("chat.id", &received.chat.id, MAX_ID)?;
        bounded("sender.id", &received.sender.id, MAX_ID)?;
        bounded("message.text", &received.message.text, MAX_TEXT)?;
        let optional = [
            ("chat.title", &received.chat.title, MAX_NAME),
            ("sender.name", &received.sender.name, MAX_NAME),
            ("message.id", &received.message.id, MAX_ID),
        ];
        for (param, text, max) in optional {
            text.as_deref().map_or(Ok(()), |text| bounded(param, text, max))?;
        }
        // The request size is already bounded; this bounds what is stored with the message.
        if received.metadata.len() > 50 {
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
    fn a_message_is_parsed() {
        let IncomingEvent { event_id, content: Content::Message(received) } =
            read(&body(|_| {})).expect("valid")
        else {
            panic!("a message")
        };
        assert_eq!(
            (event_id.as_str(), received.chat.id.as_str(), received.message.text.as_str()),
            ("e-1", "c-1", "Grüße")
        );
        assert!(!received.chat.is_group && received.metadata["shard"] == 3);
    }

    #[test]
    fn an_invalid_field_is_named() {
        type Change = fn(&mut Value);
        let error_of = |change: Change| {
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
            let received = error_of(change);
            assert!(received.contains(param), "{param}: {received}");
        }
    }
}
