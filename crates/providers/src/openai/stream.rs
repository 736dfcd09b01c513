//! Inspects a stream in OpenAI's format while it is forwarded in complete events.
//!
//! It extracts the usage, which is hidden from a client that didn't request it, the end, which is delayed until the
//! call is settled, and an error in the middle.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Usage;
use crate::sse::{Inspector, PassThroughStream, Verdict, data, last_event};

// built once: building one costs as much as searching a small chunk
static DONE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("[DONE]"));
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));

/// A forwarded stream of chat completions.
pub(crate) type Events = PassThroughStream<Chunks>;

/// The data extracted from the chunks of a chat completion.
#[derive(Debug)]
pub(crate) struct Chunks {
    hide_usage: bool,
    usage: Option<Usage>,
    failure: Option<String>,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(borrow, default)]
    choices: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl Events {
    /// `hide_usage`: the client didn't request the usage that Loam requests.
    pub(crate) fn new(hide_usage: bool) -> Self {
        Self::with_inspector(Chunks { hide_usage, usage: None, failure: None })
    }

    /// The usage, once it has arrived.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.inspector.usage
    }

    /// The error that the provider reported.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.inspector.failure.as_deref()
    }
}

impl Inspector for Chunks {
    fn is_relevant(&self, bytes: &[u8]) -> bool {
        // an error is the last event, or the last before the end, so most bytes need no search for it
        USAGE.find(bytes).is_some() || DONE.find(bytes).is_some() || ERROR.find(last_event(bytes)).is_some()
    }

    fn inspect(&mut self, event: &[u8]) -> Verdict {
        let Some(json) = data(event) else { return Verdict::Pass };
        if json == b"[DONE]" {
            return Verdict::Last;
        }
        if memmem::find(json, b"\"usage\"").is_none() && memmem::find(json, b"\"error\"").is_none() {
            return Verdict::Pass;
        }
        let chunk =
            std::str::from_utf8(json).ok().and_then(|json| serde_json::from_str::<Chunk<'_>>(json).ok());
        let Some(chunk) = chunk else { return Verdict::Pass };
        if let Some(error) = chunk.error
            && chunk.choices.is_none()
        {
            self.failure = Some(error_message(error.get()));
        }
        self.usage = chunk.usage.or(self.usage);
        let empty = chunk.choices.is_some_and(|choices| is_empty_array(choices.get()));
        if self.hide_usage && chunk.usage.is_some() && empty { Verdict::Hide } else { Verdict::Pass }
    }
}

/// The message of an error in a stream.
pub(crate) fn error_message(error: &str) -> String {
    let error: serde_json::Value = serde_json::from_str(error).unwrap_or_default();
    let message = error["message"].as_str().or_else(|| error.as_str());
    message.map_or_else(|| error.to_string(), str::to_owned)
}

fn is_empty_array(json: &str) -> bool {
    json.trim_start_matches('[').trim_end_matches(']').trim().is_empty()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"the \\\"usage\\\" of\"}}],\"usage\":null}\n\n\
        : a comment\n\ndata: {\"choices\":[ ],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\
        \"prompt_tokens_details\":{\"cached_tokens\":1}}}\n\ndata: [DONE]\n\n";

    fn run(stream: &str, size: usize, hide: bool) -> (String, Option<String>, Events) {
        let mut events = Events::new(hide);
        let (mut now, mut last) = (Vec::new(), None);
        for part in stream.as_bytes().chunks(size) {
            let forward = events.push(Bytes::copy_from_slice(part));
            assert!(forward.now.is_empty() || last.is_none(), "nothing follows the end");
            now.extend_from_slice(&forward.now);
            last = last.or(forward.last);
        }
        now.extend_from_slice(&events.finish());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        (text(&now), last.as_deref().map(text), events)
    }

    #[test]
    fn the_stream_is_forwarded_unchanged_and_its_end_is_delayed() {
        for stream in [STREAM.to_owned(), STREAM.replace('\n', "\r\n")] {
            for size in 1..=stream.len() {
                let (now, last, events) = run(&stream, size, false);
                assert_eq!(now + &last.expect("an end"), stream, "cut every {size}");
                assert_eq!(events.usage(), Some(Usage::new(3, 4, 1, 0)));
            }
        }
    }

    #[test]
    fn usage_that_the_client_did_not_request_is_hidden() {
        for size in 1..=STREAM.len() {
            let (now, last, events) = run(STREAM, size, true);
            assert!(
                now.contains("a comment") && now.contains("usage\\\" of") && !now.contains("prompt_tokens"),
                "{now}"
            );
            assert_eq!(last.as_deref(), Some("data: [DONE]\n\n"));
            assert!(events.usage().is_some());
        }
    }

    #[test]
    fn a_truncated_stream_has_no_end_and_its_rest_is_forwarded() {
        let (now, last, events) = run("data: {\"choices\":[]}\n\ndata: {\"cho", 7, true);
        assert_eq!(
            (now.as_str(), last, events.usage()),
            ("data: {\"choices\":[]}\n\ndata: {\"cho", None, None)
        );
    }

    #[test]
    fn an_error_in_the_middle_is_detected_and_forwarded() {
        let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"an \\\"error\\\"\"}}]}\n\n\
            data: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\"}}\n\n";
        for size in 1..=stream.len() {
            let (now, last, events) = run(stream, size, true);
            assert_eq!((now.as_str(), last, events.failure()), (stream, None, Some("out of memory")));
        }
        let (_, _, events) = run(stream.split_inclusive("\n\n").next().expect("one"), 9, true);
        assert_eq!(events.failure(), None);
    }
}
