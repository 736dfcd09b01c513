//! Translates responses from a provider's format to a client's.
//!
//! A [`Decoder`] reads a provider's format into format-independent parts, an [`Encoder`] writes them in a client's
//! format. So a format takes one of each, instead of one translation for each pair of formats.

use bytes::{Bytes, BytesMut};
use loam_kernel::{Clock, Error, LlmCallId};
use serde_json::{Map, Value, json};

use crate::openai::ChatOutput;
use crate::sse::{Splitter, data, event_too_large};
use crate::{CompleteResponse, Forward, Reader, ReportedError, ResponseError, Usage};

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
    /// An error that the provider reports. Nothing follows.
    Error(ReportedError),
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
    fn decode_complete(&mut self, body: &[u8]) -> Result<Vec<ResponsePart>, ResponseError>;

    /// Decodes the data of one event of a stream.
    fn event(&mut self, data: &[u8], out: &mut Vec<ResponsePart>);
}

/// Encodes a client's format.
pub(crate) trait Encoder: Send {
    /// Encodes a response that is not streamed.
    fn encode_complete(&mut self, parts: Vec<ResponsePart>) -> Result<Value, ResponseError>;

    /// Encodes one part of a stream; an error if the format can't represent it.
    fn write(&mut self, part: ResponsePart, out: &mut BytesMut) -> Result<(), String>;

    /// Ends a stream: writes what precedes the end to `out` and returns the end itself.
    fn end(&mut self, out: &mut BytesMut) -> Bytes;

    /// Encodes an error that the provider reported, as the last event.
    fn error(&mut self, error: &ReportedError, out: &mut BytesMut);

    /// The last event of a stream that the provider broke off; none if the format has no event of its own for it.
    fn interrupted(&mut self, _error: &Error) -> Option<Bytes> {
        None
    }
}

/// A reader that translates from one format to another.
pub(crate) struct Translator<A, B> {
    decoder: A,
    encoder: B,
    events: Splitter,
    usage: Option<Usage>,
    failure: Option<ReportedError>,
    /// The stop reason has arrived: the response is complete even if the provider closes without an end.
    stopped: bool,
    done: bool,
    /// What the response says, for a caller that takes it from here.
    output: Option<ChatOutput>,
}

impl<A: Decoder, B: Encoder> Translator<A, B> {
    pub(crate) fn new(decoder: A, encoder: B) -> Self {
        let events = Splitter::default();
        Self {
            decoder,
            encoder,
            events,
            usage: None,
            failure: None,
            stopped: false,
            done: false,
            output: None,
        }
    }

    fn keep(&mut self, part: &ResponsePart) {
        if let Some(output) = &mut self.output {
            output.add(part.clone());
        }
    }

    fn fail(&mut self, error: ReportedError, out: &mut BytesMut) {
        self.encoder.error(&error, out);
        if let Some(output) = &mut self.output {
            output.fail(error.message.clone());
        }
        self.failure = Some(error);
        self.done = true;
    }

    /// Fails because of a stream that can't be read or translated.
    fn fail_invalid(&mut self, message: String, out: &mut BytesMut) {
        let json = json!({"error": {"message": message}});
        self.fail(ReportedError::new(&json, &json["error"]), out);
    }

    /// Reads one event; returns the end of the stream if the event was that.
    fn read(&mut self, event: &[u8], out: &mut BytesMut) -> Option<Bytes> {
        let mut parts = Vec::new();
        self.decoder.event(&data(event)?, &mut parts);
        for part in parts {
            match part {
                ResponsePart::End => {
                    self.done = true;
                    self.keep(&ResponsePart::End);
                    return Some(self.encoder.end(out));
                }
                ResponsePart::Error(error) => {
                    self.fail(error, out);
                    return None;
                }
                part => {
                    match &part {
                        ResponsePart::Usage(usage) => self.usage = Some(*usage),
                        ResponsePart::Stop(_) => self.stopped = true,
                        _ => {}
                    }
                    self.keep(&part);
                    if let Err(why) = self.encoder.write(part, out) {
                        self.fail_invalid(why, out);
                        return None;
                    }
                }
            }
        }
        None
    }
}

impl<A: Decoder, B: Encoder> Reader for Translator<A, B> {
    fn read_complete(&mut self, body: Bytes) -> Result<CompleteResponse, ResponseError> {
        let parts = self.decoder.decode_complete(&body)?;
        parts.iter().for_each(|part| self.keep(part));
        self.keep(&ResponsePart::End);
        let usage = parts.iter().rev().find_map(|part| match part {
            ResponsePart::Usage(usage) => Some(*usage),
            _ => None,
        });
        let body = self.encoder.encode_complete(parts)?.to_string().into();
        Ok(CompleteResponse { body, usage, quantity: None })
    }

    fn keep_output(&mut self) {
        self.output = Some(ChatOutput::default());
    }

    fn output(&mut self) -> Option<&mut ChatOutput> {
        self.output.as_mut()
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
            self.fail_invalid(event_too_large(), &mut out);
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
        let mut last = self.read(&rest, &mut out);
        if !self.done && self.stopped {
            self.done = true;
            last = Some(self.encoder.end(&mut out));
        }
        out.extend_from_slice(&last.unwrap_or_default());
        out.freeze()
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn failure(&self) -> Option<&ReportedError> {
        self.failure.as_ref()
    }

    fn interrupted(&mut self, error: &Error) -> Option<Bytes> {
        self.encoder.interrupted(error)
    }

    fn is_complete(&self) -> bool {
        self.stopped || (self.done && self.failure.is_none())
    }
}

/// The id of a response in the client's format, derived from the provider's id or generated.
pub(crate) fn response_id(prefix: &str, id: &str) -> String {
    let bare = id.trim_start_matches("chatcmpl-").trim_start_matches("msg_");
    if bare.is_empty() { new_id(prefix) } else { format!("{prefix}{bare}") }
}

/// An id that no other response has.
pub(crate) fn new_id(prefix: &str) -> String {
    let new: LlmCallId = Clock::system().id();
    format!("{prefix}{}", new.to_string().replace('-', ""))
}

/// The text of a field, or an empty string.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
