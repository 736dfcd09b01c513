//! An update: <https://core.telegram.org/bots/api#update>. What isn't read here is passed over, as Telegram adds to it.

use loam_kernel::{Error, Kind, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::chat::name;
use crate::channels::incoming::{Chat, Content, Incoming, Said, Sender, Words};

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

/// What is said of in words, as it isn't fetched.
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

/// Names are for people, and may be longer than is kept.
const MAX_NAME: usize = 200;

/// Reads an update.
pub(in crate::channels) fn read(body: &[u8]) -> Result<Incoming> {
    let update: Update = serde_json::from_slice(body).map_err(|e| {
        let message = format!("the body is no update of Telegram's: {e}");
        Error::new(Kind::Invalid, "invalid_json", message)
    })?;
    let content = match update.message {
        Some(message) => content(message),
        None if update.edited_message.is_some() => Content::Nothing("what was said stays as it was said"),
        None => Content::Nothing("an update without a message"),
    };
    let incoming = Incoming { event_id: update.update_id.to_string(), content };
    incoming.check()?;
    Ok(incoming)
}

fn content(message: Message) -> Content {
    let chat = name(message.chat.id, message.message_thread_id.filter(|_| message.is_topic_message));
    if let Some(to) = message.migrate_to_chat_id {
        return Content::Moved { from: chat, to: name(to, None) };
    }
    let Some(from) = message.from else { return Content::Nothing("a message of nobody's") };
    if from.is_bot {
        return Content::Nothing("a message of a bot's");
    }
    let media =
        MEDIA.into_iter().find(|kind| message.rest.contains_key(*kind)).map(|kind| format!("[{kind}]"));
    let words = message.text.or(message.caption).filter(|text| !text.trim().is_empty());
    let text = match (media, words) {
        (Some(media), Some(words)) => format!("{media} {words}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return Content::Nothing("a message without text"),
    };
    let full_name =
        [Some(from.first_name), from.last_name].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let cut = |text: String| -> String { clean(&text).chars().take(MAX_NAME).collect() };
    let full_name = Some(cut(full_name)).filter(|name| !name.trim().is_empty());
    let mut metadata = Map::new();
    from.username.map(|username| metadata.insert("username".to_owned(), json!(cut(username))));
    Content::Said(Box::new(Said {
        chat: Chat {
            id: chat,
            title: message.chat.title.map(cut).filter(|title| !title.trim().is_empty()),
            is_group: message.chat.kind != "private",
        },
        sender: Sender { id: from.id.to_string(), name: full_name },
        message: Words { id: Some(message.message_id.to_string()), text: clean(&text) },
        metadata,
    }))
}

/// PostgreSQL can't store a NUL, and a platform that sends one would send it again for ever.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(message: Value) -> Incoming {
        read(json!({ "update_id": 42, "message": message }).to_string().as_bytes()).expect("an update")
    }

    fn said(message: Value) -> Said {
        match update(message).content {
            Content::Said(said) => *said,
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
    fn a_message_says_who_what_and_where() {
        assert_eq!(update(message(json!({ "text": "hi" }))).event_id, "42");
        let said = said(message(json!({ "text": "你好" })));
        assert_eq!((said.chat.id.as_str(), said.chat.is_group), ("7", false));
        assert_eq!((said.sender.id.as_str(), said.sender.name.as_deref()), ("7", Some("Ann Li")));
        assert_eq!((said.message.id.as_deref(), said.message.text.as_str()), (Some("5"), "你好"));
        assert_eq!(said.metadata["username"], "annli");
    }

    #[test]
    fn a_group_is_one_and_each_topic_of_a_forum_its_own() {
        let group = json!({ "id": -100, "type": "supergroup", "title": "Team" });
        let plain = said(message(json!({ "text": "hi", "chat": group, "message_thread_id": 3 })));
        assert_eq!((plain.chat.id.as_str(), plain.chat.is_group), ("-100", true));
        assert_eq!(plain.chat.title.as_deref(), Some("Team"));
        let topic = json!({ "text": "hi", "chat": group, "message_thread_id": 3, "is_topic_message": true });
        assert_eq!(said(message(topic)).chat.id, "-100:3");
    }

    #[test]
    fn what_is_no_text_is_named() {
        let photo = json!([{ "file_id": "x" }]);
        assert_eq!(said(message(json!({ "photo": photo, "caption": "look" }))).message.text, "[photo] look");
        assert_eq!(said(message(json!({ "voice": {} }))).message.text, "[voice]");
    }

    #[test]
    fn what_holds_no_message_is_passed_over() {
        let bot = json!({ "id": 1, "is_bot": true, "first_name": "Bot" });
        for nothing in [
            json!({}),
            json!({ "text": " " }),
            json!({ "text": "x", "from": bot }),
            json!({ "new_chat_members": [] }),
        ] {
            assert!(matches!(update(message(nothing.clone())).content, Content::Nothing(_)), "{nothing}");
        }
        for other in [json!({ "update_id": 1 }), json!({ "update_id": 1, "edited_message": { "text": "x" } })]
        {
            assert!(matches!(read(other.to_string().as_bytes()).expect("read").content, Content::Nothing(_)));
        }
        let moved = update(message(json!({ "migrate_to_chat_id": -1009 }))).content;
        assert!(matches!(moved, Content::Moved { from, to } if from == "7" && to == "-1009"));
        assert_eq!(read(b"{}").expect_err("no update").status(), 400);
    }
}
