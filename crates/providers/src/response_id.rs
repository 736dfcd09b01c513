//! The id of a response, in each of the client formats.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use crate::sse::{MAX_EVENT, recorded};

/// Maximum length of an id that is kept, in bytes.
const MAX_LENGTH: usize = 256;
/// How many of a stream's events are searched: formats have the id in the first one.
const SEARCHED: usize = 4;

/// A response, or an event of a stream: one of chat completions has the id itself, the others hold the response.
#[derive(Deserialize)]
struct Identified {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    message: Option<Object>,
    #[serde(default)]
    response: Option<Object>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    id: Option<String>,
}

/// The id of a response: of its body, or of the events of a stream, in chunks as they were sent to the client.
pub fn response_id(chunks: &[Bytes], events: bool) -> Option<String> {
    if !events {
        let [body] = chunks else { return None };
        return id(body);
    }
    let mut start = Cow::Borrowed(&[][..]);
    for chunk in chunks {
        if start.is_empty() {
            start = Cow::Borrowed(chunk);
        } else {
            start.to_mut().extend_from_slice(chunk);
        }
        if let Some(id) = recorded(&start).take(SEARCHED).find_map(|data| id(&data)) {
            return Some(id);
        }
        if start.len() > MAX_EVENT || recorded(&start).nth(SEARCHED).is_some() {
            break;
        }
    }
    None
}

fn id(json: &[u8]) -> Option<String> {
    let found: Identified = serde_json::from_slice(json).ok()?;
    let nested = || found.message.or(found.response)?.id;
    let id = found.id.or_else(nested)?;
    (1..=MAX_LENGTH).contains(&id.len()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_response_is_found_in_each_format() {
        let of = |chunks: &[&'static str], events| {
            let chunks: Vec<Bytes> =
                chunks.iter().map(|chunk| Bytes::from_static(chunk.as_bytes())).collect();
            response_id(&chunks, events)
        };
        let tool_call = r#"{"choices":[{"message":{"tool_calls":[{"id":"call_1"}]}}],"id":"chatcmpl-1"}"#;
        for (body, id) in [
            (tool_call, Some("chatcmpl-1")),
            ("{\n  \"id\" : \"msg_1\",\n \"type\": \"message\"}", Some("msg_1")),
            (r#"{"id":null,"choices":[]}"#, None),
            (r#"{"id":"","choices":[]}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(of(&[body], false).as_deref(), id, "{body}");
        }
        for (chunks, id) in [
            (
                &["data: {\"choices\":[],\"id\":\"chat", "cmpl-1\"}\n\n", "data: [DONE]\n\n"][..],
                Some("chatcmpl-1"),
            ),
            (
                &[
                    ": waiting\n\nevent: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_2\"}}\n\n",
                ],
                Some("msg_2"),
            ),
            (&["data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n"], Some("resp_1")),
            (&["data: {\"choices\":[]}\n\n"; 5], None),
            (&[], None),
        ] {
            assert_eq!(of(chunks, true).as_deref(), id, "{chunks:?}");
        }
    }
}
