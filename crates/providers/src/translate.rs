//! Translates responses from a provider's format to a client's.
//!
//! A [`Decoder`] reads a provider's format into format-independent parts, an [`Encoder`] writes them in a client's
//! format. So a format takes one of each, instead of one translation for each pair of formats.

use bytes::{Bytes, BytesMut};
use loam_kernel::{Clock, Error, Kind, LlmCallId, Result};
use serde_json::{Map, Value};

use crate::sse::{MAX_EVENT, Splitter, name, whole_data};
use crate::{CompleteResponse, Forward, Reader, Usage};

/// A format-independent part of a response, in the order in which the model wrote it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ResponsePart {
    /// The start; both may be empty.
    Start { id: String, model: String },
    /// Provider-specific fields, which appear in the client's response under the name of the kind.
    Extra(&'static str, Map<String, Value>),
    /// Reasoning text.
    Thinking(String),
    /// Text.
    Text(String),
    /// The start of a call of a client's tool.
    Tool { index: usize, id: String, name: String },
    /// A fragment of that call's arguments, in JSON.
    Arguments { index: usize, json: String },
    /// Why the model stopped.
    Stop(StopReason),
    /// Token usage.
    Usage(Usage),
    /// An error in the middle of a stream. Nothing follows.
    Error(String),
    /// The end.
    End,
}

/// Why the model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// It finished.
    End,
    /// It reached one of the client's stop sequences.
    Sequence(String),
    /// It reached the token limit.
    Length,
    /// It called tools and waits for their results.
    Tools,
    /// The content was filtered.
    Filtered,
}

/// Decodes a provider's format.
pub(crate) trait Decoder: Send {
    /// Decodes a response that is not streamed.
    fn decode_complete(&mut self, body: &[u8]) -> Result<Vec<ResponsePart>>;

    /// Decodes one event of a stream.
    fn event(&mut self, name: &[u8], data: &[u8], out: &mut Vec<ResponsePart>);
}

/// Encodes a client's format.
pub(crate) trait Encoder: Send {
    /// Encodes a response that is not streamed.
    fn encode_complete(&self, parts: Vec<ResponsePart>) -> Result<Value>;

    /// Encodes one part of a stream; an error if the format can't represent it.
    fn write(&mut self, part: ResponsePart, out: &mut BytesMut) -> Result<(), String>;

    /// Ends a stream: writes what precedes the end to `out` and returns the end itself.
    fn end(&mut self, out: &mut BytesMut) -> Bytes;

    /// Encodes an error event.
    fn error(&self, message: &str, out: &mut BytesMut);
}

/// A reader that translates from one format to another.
pub(crate) struct Translator<A, B> {
    decoder: A,
    encoder: B,
    events: Splitter,
    usage: Option<Usage>,
    failure: Option<String>,
    /// The stop reason has arrived: the response is complete even if the provider closes without an end.
    stopped: bool,
    done: bool,
}

impl<A: Decoder, B: Encoder> Translator<A, B> {
    pub(crate) fn new(decoder: A, encoder: B) -> Self {
        let events = Splitter::default();
        Self { decoder, encoder, events, usage: None, failure: None, stopped: false, done: false }
    }

    fn fail(&mut self, message: String, out: &mut BytesMut) {
        self.encoder.error(&message, out);
        self.failure = Some(message);
        self.done = true;
    }

    /// Reads one event; returns the end of the stream if the event was that.
    fn read(&mut self, event: &[u8], out: &mut BytesMut) -> Option<Bytes> {
        let mut parts = Vec::new();
        self.decoder.event(name(event).unwrap_or_default(), &whole_data(event), &mut parts);
        for part in parts {
            match part {
                ResponsePart::End => {
                    self.done = true;
                    return Some(self.encoder.end(out));
                }
                ResponsePart::Error(message) => {
                    self.fail(message, out);
                    return None;
                }
                part => {
                    match &part {
                        ResponsePart::Usage(usage) => self.usage = Some(*usage),
                        ResponsePart::Stop(_) => self.stopped = true,
                        _ => {}
                    }
                    if let Err(why) = self.encoder.write(part, out) {
                        self.fail(why, out);
                        return None;
                    }
                }
            }
        }
        None
    }
}

impl<A: Decoder, B: Encoder> Reader for Translator<A, B> {
    fn read_complete(&mut self, body: Bytes) -> Result<CompleteResponse> {
        let parts = self.decoder.decode_complete(&body)?;
        let usage = parts.iter().rev().find_map(|part| match part {
            ResponsePart::Usage(usage) => Some(*usage),
            _ => None,
        });
        Ok(CompleteResponse { body: self.encoder.encode_complete(parts)?.to_string().into(), usage })
    }

    fn push(&mut self, chunk: Bytes) -> Forward {
        let mut out = BytesMut::new();
        let fits = self.done || self.events.push(&chunk);
        while !self.done
            && let Some(event) = self.events.next()
        {
            if let Some(last) = self.read(&event, &mut out) {
                return Forward { now: out.freeze(), last: Some(last) };
            }
        }
        if !fits && !self.done {
            self.fail(format!("the provider sent an event of more than {MAX_EVENT} bytes"), &mut out);
        }
        Forward { now: out.freeze(), last: None }
    }

    fn finish(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        if self.done {
            return Bytes::new();
        }
        // some providers omit the blank line after their last event
        let rest = self.events.rest();
        let last = self.read(&rest, &mut out);
        if let Some(last) = last {
            out.extend_from_slice(&last);
        } else if !self.done && self.stopped {
            let last = self.encoder.end(&mut out);
            out.extend_from_slice(&last);
            self.done = true;
        } else if !self.done {
            self.fail("the provider ended its stream before the response was complete".to_owned(), &mut out);
        }
        out.freeze()
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn failure(&self) -> Option<String> {
        self.failure.clone()
    }
}

/// The error for a success status with an invalid body.
pub(crate) fn invalid_response(why: impl std::fmt::Display) -> Error {
    let message = format!("the provider's response is invalid: {why}");
    Error::new(Kind::BadGateway, "provider_answer_invalid", message)
}

/// The id of a response in the client's format, derived from the provider's id or generated.
pub(crate) fn response_id(prefix: &str, id: &str) -> String {
    let bare = id.trim_start_matches("chatcmpl-").trim_start_matches("msg_");
    if bare.is_empty() {
        let new: LlmCallId = Clock::system().id();
        return format!("{prefix}{}", new.to_string().replace('-', ""));
    }
    format!("{prefix}{bare}")
}

/// The text of a field, or an empty string.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
