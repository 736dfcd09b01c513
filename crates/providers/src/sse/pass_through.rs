//! A response that is forwarded byte for byte, a stream in complete events. Each format has an [`Inspector`] that
//! extracts usage, failure and end on the way.

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;

use super::{MAX_EVENT, complete_events_len, data, event_too_large, first_event_len};
use crate::openai::ChatOutput;
use crate::{CompleteResponse, Forward, Quantity, Reader, ReportedError, ResponseError, Usage};

/// What to do with an event of a forwarded stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Forward it.
    Pass,
    /// Don't forward it.
    Hide,
    /// It ends the stream, and is delayed until the call is settled.
    Last,
}

/// Inspects a response that is forwarded unchanged.
pub(crate) trait Inspector: Send {
    /// As [`Reader::keep_output`].
    fn keep_output(&mut self) {}

    /// As [`Reader::output`].
    fn output(&mut self) -> Option<&mut ChatOutput> {
        None
    }

    /// Inspects a response that is not streamed: its usage, or what is wrong with it.
    fn inspect_complete(&mut self, body: &[u8]) -> Result<Option<Usage>, ResponseError>;

    /// A fast look at complete events, which notes whether the model stopped. True if they may hold anything else of
    /// interest, and each has to be inspected.
    fn skim(&mut self, events: &[u8]) -> bool;

    /// Inspects the data of one event.
    fn inspect(&mut self, data: &[u8]) -> Verdict;

    /// The usage of a stream, once it has arrived.
    fn usage(&self) -> Option<Usage>;

    /// As [`Reader::quantity`].
    fn quantity(&self) -> Option<Quantity> {
        None
    }

    /// The error that the provider reported in its stream.
    fn failure(&self) -> Option<&ReportedError>;

    /// Whether the end of the stream or the reason why the model stopped has arrived.
    fn is_complete(&self) -> bool;
}

/// Reads a response that is forwarded unchanged.
#[derive(Debug)]
pub(crate) struct PassThrough<I> {
    /// The start of an event that is not complete yet.
    buffered: BytesMut,
    done: bool,
    pub(crate) inspector: I,
}

impl<I: Inspector> PassThrough<I> {
    pub(crate) fn new(inspector: I) -> Self {
        Self { buffered: BytesMut::new(), done: false, inspector }
    }

    fn inspect_event(&mut self, event: &[u8]) -> Verdict {
        data(event).map_or(Verdict::Pass, |data| self.inspector.inspect(&data))
    }

    fn inspect_events(&mut self, bytes: Bytes) -> Forward {
        let mut out = BytesMut::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = first_event_len(&rest).unwrap_or(rest.len());
            let event = rest.split_to(end);
            match self.inspect_event(&event) {
                Verdict::Pass => out.extend_from_slice(&event),
                Verdict::Hide => {}
                Verdict::Last => {
                    self.done = true;
                    return Forward { now: out.freeze(), last: Some(event) };
                }
            }
        }
        Forward { now: out.freeze(), last: None }
    }
}

impl<I: Inspector> Reader for PassThrough<I> {
    fn read_complete(&mut self, body: Bytes) -> Result<CompleteResponse, ResponseError> {
        let usage = self.inspector.inspect_complete(&body)?;
        Ok(CompleteResponse { usage, quantity: self.inspector.quantity(), body })
    }

    fn keep_output(&mut self) {
        self.inspector.keep_output();
    }

    fn output(&mut self) -> Option<&mut ChatOutput> {
        self.inspector.output()
    }

    fn push(&mut self, chunk: Bytes) -> Forward {
        if self.done {
            return Forward::default();
        }
        let mut bytes = if self.buffered.is_empty() {
            chunk
        } else {
            self.buffered.extend_from_slice(&chunk);
            self.buffered.split().freeze()
        };
        // an event that is too large to be buffered is forwarded in parts
        let end = match complete_events_len(&bytes) {
            0 if bytes.len() > MAX_EVENT => {
                if let Some(output) = self.inspector.output() {
                    output.fail(event_too_large());
                }
                bytes.len()
            }
            end => end,
        };
        self.buffered.extend_from_slice(&bytes.split_off(end));
        // most chunks are not relevant, and are forwarded without a copy
        if self.inspector.skim(&bytes) {
            self.inspect_events(bytes)
        } else {
            Forward { now: bytes, last: None }
        }
    }

    /// An event without its blank line is completed if its data is, as some providers omit the last blank line.
    /// Otherwise it is discarded, as the standard says: the client could parse neither it nor what follows.
    fn finish(&mut self) -> Bytes {
        let rest = self.buffered.split().freeze();
        // a blank line, which could have been half of one
        if &*rest == b"\r" && !self.done {
            return rest;
        }
        let is_whole = |data: &[u8]| data == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(data).is_ok();
        if self.done || !data(&rest).is_some_and(|data| is_whole(&data)) {
            return Bytes::new();
        }
        self.inspector.skim(&rest);
        match self.inspect_event(&rest) {
            Verdict::Hide => Bytes::new(),
            Verdict::Pass | Verdict::Last => [rest.trim_ascii_end(), b"\n\n"].concat().into(),
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.inspector.usage()
    }

    fn quantity(&self) -> Option<Quantity> {
        self.inspector.quantity()
    }

    fn failure(&self) -> Option<&ReportedError> {
        self.inspector.failure()
    }

    fn is_complete(&self) -> bool {
        self.inspector.is_complete()
    }
}
