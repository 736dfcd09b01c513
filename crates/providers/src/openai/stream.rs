//! The events of a stream, read on the side: bytes go on as they came, whole events at a time.
//!
//! Two things are looked for: the usage, which is hidden again from a client that didn't ask for it, and the end, which
//! is held back until the call is settled.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Forward, Usage};

/// An event larger than this is passed on in parts: no provider sends one, and memory must not grow without bound.
const MAX_HELD: usize = 4 << 20;

/// Reads a stream.
#[derive(Debug)]
pub struct Events {
    /// The beginning of an event whose end has not come yet.
    held: BytesMut,
    hide_usage: bool,
    usage: Option<Usage>,
    done: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(borrow, default)]
    choices: Option<&'a RawValue>,
}

impl Events {
    /// A reader; `hide_usage` when the client didn't ask for what Loam asked for.
    pub fn new(hide_usage: bool) -> Self {
        Self { held: BytesMut::new(), hide_usage, usage: None, done: false }
    }

    /// The usage, once it has come.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the stream ended as it should.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes what came, and answers with what may go on.
    pub fn push(&mut self, chunk: Bytes) -> Forward {
        if self.done {
            return Forward::default();
        }
        let mut bytes = if self.held.is_empty() {
            chunk
        } else {
            self.held.extend_from_slice(&chunk);
            self.held.split().freeze()
        };
        let end = match complete(&bytes) {
            0 if bytes.len() > MAX_HELD => bytes.len(),
            end => end,
        };
        self.held.extend_from_slice(&bytes.split_off(end));
        // most chunks hold neither, and go on as they are
        if memmem::find(&bytes, b"[DONE]").is_none() && memmem::find(&bytes, b"\"usage\"").is_none() {
            return Forward { now: bytes, last: None };
        }
        self.look_closely(bytes)
    }

    /// What is left when the provider closes without an end.
    pub fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    fn look_closely(&mut self, bytes: Bytes) -> Forward {
        let mut out = BytesMut::with_capacity(bytes.len());
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            let end = first(&rest).unwrap_or(rest.len());
            let event = rest.split_to(end);
            match data(&event) {
                Some(b"[DONE]") => {
                    self.done = true;
                    return Forward { now: out.freeze(), last: Some(event) };
                }
                Some(json) if memmem::find(json, b"\"usage\"").is_some() => {
                    let chunk = std::str::from_utf8(json)
                        .ok()
                        .and_then(|json| serde_json::from_str::<Chunk<'_>>(json).ok());
                    let usage = chunk.as_ref().and_then(|chunk| chunk.usage);
                    self.usage = usage.or(self.usage);
                    let empty =
                        chunk.is_some_and(|chunk| chunk.choices.is_some_and(|c| is_empty_array(c.get())));
                    if !(self.hide_usage && usage.is_some() && empty) {
                        out.extend_from_slice(&event);
                    }
                }
                _ => out.extend_from_slice(&event),
            }
        }
        Forward { now: out.freeze(), last: None }
    }
}

fn is_empty_array(json: &str) -> bool {
    json.trim_start_matches('[').trim_end_matches(']').trim().is_empty()
}

/// The length of the first event with its blank line.
fn first(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match bytes.get(at + 1..) {
        Some([b'\n', ..]) => Some(at + 2),
        Some([b'\r', b'\n', ..]) => Some(at + 3),
        _ => None,
    })
}

/// The length of all complete events.
fn complete(bytes: &[u8]) -> usize {
    memchr::memrchr_iter(b'\n', bytes)
        .find(|at| {
            let before = bytes[..*at].strip_suffix(b"\r").unwrap_or(&bytes[..*at]);
            before.ends_with(b"\n")
        })
        .map_or(0, |at| at + 1)
}

/// The `data:` of an event; the first line of it, as providers send one.
fn data(event: &[u8]) -> Option<&[u8]> {
    event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"the \\\"usage\\\" of\"}}],\"usage\":null}\n\n\
        : a comment\n\ndata: {\"choices\":[ ],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\
        \"prompt_tokens_details\":{\"cached_tokens\":1}}}\n\ndata: [DONE]\n\n";

    fn run(stream: &str, size: usize, hide: bool) -> (String, Option<String>, Events) {
        let mut events = Events::new(hide);
        let (mut now, mut last) = (Vec::new(), None);
        for part in stream.as_bytes().chunks(size) {
            let forward = events.push(Bytes::copy_from_slice(part));
            assert!(forward.now.is_empty() || last.is_none(), "nothing comes behind the end");
            now.extend_from_slice(&forward.now);
            last = last.or(forward.last);
        }
        now.extend_from_slice(&events.finish());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        (text(&now), last.as_deref().map(text), events)
    }

    #[test]
    fn however_it_is_cut_the_same_goes_on_and_the_end_is_held_back() {
        for stream in [STREAM.to_owned(), STREAM.replace('\n', "\r\n")] {
            for size in 1..=stream.len() {
                let (now, last, events) = run(&stream, size, false);
                assert_eq!(now + &last.expect("an end"), stream, "cut every {size}");
                let usage =
                    Usage { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, cached_tokens: 1 };
                assert_eq!((events.usage(), events.is_done()), (Some(usage), true));
            }
        }
    }

    #[test]
    fn usage_that_the_client_did_not_ask_for_is_hidden() {
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
    fn a_stream_that_is_cut_is_not_done_and_its_rest_goes_on() {
        let (now, last, events) = run("data: {\"choices\":[]}\n\ndata: {\"cho", 7, true);
        assert_eq!(
            (now.as_str(), last, events.is_done()),
            ("data: {\"choices\":[]}\n\ndata: {\"cho", None, false)
        );
    }
}
