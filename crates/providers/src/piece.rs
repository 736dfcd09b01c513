//! An answer on its way from a provider's format to a client's.
//!
//! Every provider's format is read into the same pieces by a [`Source`], and every client's is written from them by a
//! [`Sink`]. So a format takes one of each, instead of one for each pair.

use bytes::{Bytes, BytesMut};
use loam_kernel::{Clock, Error, Kind, LlmCallId, Result};
use serde_json::{Map, Value};

use crate::sse::{MAX_EVENT, Splitter, name, whole_data};
use crate::{Forward, Reader, Usage, Whole};

/// A part of an answer, in the order in which the model wrote it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// It begins; both may be empty.
    Start { id: String, model: String },
    /// Something of the provider's own, which goes into the client's answer under the name of its kind.
    Extra(&'static str, Map<String, Value>),
    /// The model's thoughts.
    Thinking(String),
    /// What it says.
    Text(String),
    /// It calls a tool of the client's.
    Tool { index: usize, id: String, name: String },
    /// More of the arguments of that call, in JSON.
    Arguments { index: usize, json: String },
    /// Why it stopped.
    Stop(Stop),
    /// What it cost.
    Usage(Usage),
    /// The provider's own error, in the middle of a stream. Nothing follows.
    Error(String),
    /// The end.
    End,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It had said all.
    End,
    /// It came to one of the client's stop sequences.
    Sequence(String),
    /// It had written as much as it may.
    Length,
    /// It waits for the results of tools.
    Tools,
    /// What it wrote may not be shown.
    Filtered,
}

/// Reads a provider's format.
pub(crate) trait Source: Send {
    /// Reads an answer that came whole.
    fn whole(&mut self, body: &[u8]) -> Result<Vec<Piece>>;

    /// Reads one event of a stream.
    fn event(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Piece>);
}

/// Writes a client's format.
pub(crate) trait Sink: Send {
    /// An answer in one.
    fn whole(&self, pieces: Vec<Piece>) -> Result<Value>;

    /// One piece of a stream; an error when the format has no place for it.
    fn write(&mut self, piece: Piece, out: &mut BytesMut) -> Result<(), String>;

    /// The end of a stream: what comes before it goes to `out`, the end itself is given back.
    fn end(&mut self, out: &mut BytesMut) -> Bytes;

    /// The event of an error.
    fn error(&self, message: &str, out: &mut BytesMut);
}

/// A reader from one format to another.
pub(crate) struct Translated<A, B> {
    source: A,
    sink: B,
    events: Splitter,
    usage: Option<Usage>,
    failure: Option<String>,
    /// The model said why it stopped: nothing is missing should the provider close without an end.
    stopped: bool,
    done: bool,
}

impl<A: Source, B: Sink> Translated<A, B> {
    pub(crate) fn new(source: A, sink: B) -> Self {
        let events = Splitter::default();
        Self { source, sink, events, usage: None, failure: None, stopped: false, done: false }
    }

    fn fail(&mut self, message: String, out: &mut BytesMut) {
        self.sink.error(&message, out);
        self.failure = Some(message);
        self.done = true;
    }

    /// Reads one event, and gives back the end if it was that.
    fn read(&mut self, event: &[u8], out: &mut BytesMut) -> Option<Bytes> {
        let mut pieces = Vec::new();
        self.source.event(name(event).unwrap_or_default(), &whole_data(event), &mut pieces);
        for piece in pieces {
            match piece {
                Piece::End => {
                    self.done = true;
                    return Some(self.sink.end(out));
                }
                Piece::Error(message) => {
                    self.fail(message, out);
                    return None;
                }
                piece => {
                    match &piece {
                        Piece::Usage(usage) => self.usage = Some(*usage),
                        Piece::Stop(_) => self.stopped = true,
                        _ => {}
                    }
                    if let Err(why) = self.sink.write(piece, out) {
                        self.fail(why, out);
                        return None;
                    }
                }
            }
        }
        None
    }
}

impl<A: Source, B: Sink> Reader for Translated<A, B> {
    fn whole(&mut self, body: Bytes) -> Result<Whole> {
        let pieces = self.source.whole(&body)?;
        let usage = pieces.iter().rev().find_map(|piece| match piece {
            Piece::Usage(usage) => Some(*usage),
            _ => None,
        });
        Ok(Whole { body: self.sink.whole(pieces)?.to_string().into(), usage })
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
        // some providers leave out the blank line behind their last event
        let rest = self.events.rest();
        let last = self.read(&rest, &mut out);
        if let Some(last) = last {
            out.extend_from_slice(&last);
        } else if !self.done && self.stopped {
            let last = self.sink.end(&mut out);
            out.extend_from_slice(&last);
            self.done = true;
        } else if !self.done {
            self.fail("the provider ended its stream before its answer was whole".to_owned(), &mut out);
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

/// The error for an answer of success that isn't one.
pub(crate) fn not_an_answer(why: impl std::fmt::Display) -> Error {
    let message = format!("the provider's answer can't be understood: {why}");
    Error::new(Kind::BadGateway, "provider_answer_invalid", message)
}

/// The id of an answer as the client's format spells it, made from the provider's or made up.
pub(crate) fn answer_id(prefix: &str, id: &str) -> String {
    let bare = id.trim_start_matches("chatcmpl-").trim_start_matches("msg_");
    if bare.is_empty() {
        let new: LlmCallId = Clock::system().id();
        return format!("{prefix}{}", new.to_string().replace('-', ""));
    }
    format!("{prefix}{bare}")
}

/// The text of a field, or nothing.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
