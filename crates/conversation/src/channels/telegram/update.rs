//! Telegram updates: <https://core.telegram.org/bots/api#update>. Unknown fields are ignored.

use loam_kernel::{Error, Kind, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::chat::name;
use crate::channels::incoming::{Chat, Content, IncomingEvent, MessageText, ReceivedMessage, Sender};

#[derive(Deserialize)]
struct Update {
    update_id: i64,
    message: Option<Message>,
    edited_message: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    message_id: i64,
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
    from: Option<User>,
    chat: TelegramChat,
    text: Option<String>,
    caption: Option<String>,
    migrate_to_chat_id: Option<i64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    first_name: String,
    last_name: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct TelegramChat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
    title: Option<String>,
}

/// Media types that are not downloaded; the message text names them instead.
const MEDIA: [&str; 11] = [
    "photo",
    "video",
    "voice",
    "audio",
    "document",
    "sticker",
    "animation",
    "video_note",
    "location",
    "contact",
    "poll",
];

/// Display names are truncated to this length.
const MAX_NAME: usize = 200;

/// Parses an update.
pub(in crate::channels) fn read(body: &[u8]) -> Result<IncomingEvent> {
    let update: Update = serde_json::from_slice(body).map_err(|e| {
        let message = format!("the body is not a Telegram update: {e}");
        Error::new(Kind::Invalid, "invalid_json", message)
    })?;
    let content = match update.message {
        Some(message) => content(message),
        None if update.edited_message.is_some() => Content::Ignored("edited messages are not updated"),
        None => Content::Ignored("the update contains no message"),
    };
    let incoming = IncomingEvent { event_id: update.update_id.to_string(), content };
    incoming.check()?;
    Ok(incoming)
}

fn content(message: Message) -> Content {
    let chat = name(message.chat.id, message.message_thread_id.filter(|_| message.is_topic_message));
    if let Some(to) = message.migrate_to_chat_id {
        return Content::ChatMigrated { from: chat, to: name(to, None) };
    }
    let Some(from) = message.from else { return Content::Ignored("the message has no sender") };
    if from.is_bot {
        return Content::Ignored("the sender is a bot");
    }
    let media =
        MEDIA.into_iter().find(|kind| message.rest.contains_key(*kind)).map(|kind| format!("[{kind}]"));
    let caption = message.text.or(message.caption).filter(|text| !text.trim().is_empty());
    let text = match (media, caption) {
        (Some(media), Some(caption)) => format!("{media} {caption}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return Content::Ignored("the message contains no text"),
    };
    let full_name =
        [Some(from.first_name), from.last_name].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let truncate = |text: String| -> String { without_nul(&text).chars().take(MAX_NAME).collect() };
    let full_name = Some(truncate(full_name)).filter(|name| !name.trim().is_empty());
    let mut metadata = Map::new();
    from.username.map(|username| metadata.insert("username".to_owned(), json!(truncate(username))));
    Content::Message(Box::new(ReceivedMessage {
        chat: Chat {
            id: chat,
            title: message.chat.title.map(truncate).filter(|title| !title.trim().is_empty()),
            is_group: message.chat.kind != "private",
        },
        sender: Sender { id: from.id.to_string(), name: full_name },
        message: MessageText { id: Some(message.message_id.to_string()), text: without_nul(&text) },
        metadata,
    }))
}

/// PostgreSQL can't store NUL characters, and a rejected update would be sent again and again.
fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(message: Value) -> IncomingEvent {
        read(json!({ "update_id": 42, "message": message }).to_string().as_bytes()).expect("an update")
    }

    fn received(message: Value) -> ReceivedMessage {
        match update(message).content {
            Content::Message(received) => *received,
            other => panic!("{other:?}"),
        }
    }

    fn message(more: Value) -> Value {
        let mut message = json!({
            "message_id": 5, "date": 1_700_000_000, "chat": { "id": 7, "type": "private", "first_name": "Ann" },
            "from": { "id": 7, "is_bot": false, "first_name": "Ann", "last_name": "Li", "username": "annli" }
        });
        for (name, value) in more.as_object().expect("fields") {
            message[name] = value.clone();
        }
        message
    }

    #[test]
    fn a_message_is_parsed() {
        assert_eq!(update(message(json!({ "text": "hi" }))).event_id, "42");
        let received = received(message(json!({ "text": "你好" })));
        assert_eq!((received.chat.id.as_str(), received.chat.is_group), ("7", false));
        assert_eq!((received.sender.id.as_str(), received.sender.name.as_deref()), ("7", Some("Ann Li")));
        assert_eq!((received.message.id.as_deref(), received.message.text.as_str()), (Some("5"), "你好"));
        assert_eq!(received.metadata["username"], "annli");
    }

    #[test]
    fn a_group_is_one_chat_and_each_forum_topic_its_own() {
        let group = json!({ "id": -100, "type": "supergroup", "title": "Team" });
        let plain = received(message(json!({ "text": "hi", "chat": group, "message_thread_id": 3 })));
        assert_eq!((plain.chat.id.as_str(), plain.chat.is_group), ("-100", true));
        assert_eq!(plain.chat.title.as_deref(), Some("Team"));
        let topic = json!({ "text": "hi", "chat": group, "message_thread_id": 3, "is_topic_message": true });
        assert_eq!(received(message(topic)).chat.id, "-100:3");
    }

    #[test]
    fn media_is_described_by_its_type() {
        let photo = json!([{ "file_id": "x" }]);
        assert_eq!(
            received(message(json!({ "photo": photo, "caption": "look" }))).message.text,
            "[photo] look"
        );
        assert_eq!(received(message(json!({ "voice": {} }))).message.text, "[voice]");
    }

    #[test]
    fn updates_without_a_message_are_ignored() {
        let bot = json!({ "id": 1, "is_bot": true, "first_name": "Bot" });
        for other in [
            json!({}),
            json!({ "text": " " }),
            json!({ "text": "x", "from": bot }),
            json!({ "new_chat_members": [] }),
        ] {
            assert!(matches!(update(message(other.clone())).content, Content::Ignored(_)), "{other}");
        }
        for other in [json!({ "update_id": 1 }), json!({ "update_id": 1, "edited_message": { "text": "x" } })]
        {
            assert!(matches!(read(other.to_string().as_bytes()).expect("read").content, Content::Ignored(_)));
        }
        let moved = update(message(json!({ "migrate_to_chat_id": -1009 }))).content;
        assert!(matches!(moved, Content::ChatMigrated { from, to } if from == "7" && to == "-1009"));
        assert_eq!(read(b"{}").expect_err("no update").status(), 400);
    }
}
