//! Ids of Telegram chats: the chat id; for a forum topic, `<chat>:<topic>`, because each topic is a
//! conversation.

use serde_json::{Map, Value};

/// The id of a chat, or of a topic in it.
pub(super) fn name(chat: i64, topic: Option<i64>) -> String {
    match topic {
        Some(topic) => format!("{chat}:{topic}"),
        None => chat.to_string(),
    }
}

/// The request fields that address a chat; `None` if the id is not in Telegram's format.
pub(in crate::channels) fn target(name: &str) -> Option<Map<String, Value>> {
    let (chat, topic) = match name.split_once(':') {
        Some((chat, topic)) => (chat, Some(topic.parse::<i64>().ok()?)),
        None => (name, None),
    };
    let mut fields = Map::new();
    fields.insert("chat_id".to_owned(), chat.parse::<i64>().ok()?.into());
    topic.map(|topic| fields.insert("message_thread_id".to_owned(), topic.into()));
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_a_conversation_of_its_own() {
        for (chat, topic) in [(7, None), (-1_001_234, None), (-1_001_234, Some(5))] {
            let fields = target(&name(chat, topic)).expect("a chat");
            assert_eq!(fields["chat_id"], chat);
            assert_eq!(fields.get("message_thread_id").and_then(Value::as_i64), topic);
        }
        for other in ["", "x", "1:", "1:x", "@name"] {
            assert!(target(other).is_none(), "{other}");
        }
    }
}
