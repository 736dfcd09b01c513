//! The output of a chat completion that Loam itself requests, typed. The reader of the provider's response decodes it
//! once, on its way through the same relay that serves HTTP clients.

use std::future::poll_fn;
use std::pin::Pin;

use http_body::Body;
use loam_kernel::{Error, Kind, Result};
use loam_providers::openai::{ChatOutput, StreamEnd, StreamEvent};

use super::call_response::CallBody;
use super::streamed::Relay;

/// The output of a response, as it arrives. The call is settled when it is read to the end, or dropped.
pub struct ChatStream {
    source: Source,
    max_bytes: usize,
}

enum Source {
    /// It has arrived, and the call is settled.
    Complete(Box<ChatOutput>),
    /// It arrives.
    Streamed(Box<Relay>),
}

impl Source {
    fn output(&mut self) -> Result<&mut ChatOutput> {
        match self {
            Self::Complete(output) => Ok(output),
            Self::Streamed(relay) => relay.output().ok_or_else(not_kept),
        }
    }
}

impl ChatStream {
    pub(super) fn new(body: CallBody, max_bytes: usize) -> Result<Self> {
        let source = match body {
            CallBody::Complete { output, .. } => Source::Complete(output.ok_or_else(not_kept)?),
            CallBody::Streamed(relay) => Source::Streamed(relay),
        };
        Ok(Self { source, max_bytes })
    }

    /// The next pieces, none at the end. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// `answer_broke_off` if the response is interrupted or too long.
    pub async fn next(&mut self) -> Result<Option<Vec<StreamEvent>>> {
        let ended = match &mut self.source {
            Source::Complete(_) => true,
            Source::Streamed(relay) => {
                let chunk = poll_fn(|cx| Pin::new(&mut **relay).poll_frame(cx)).await;
                chunk.transpose().map_err(|e| interrupted(&e.to_string()))?.is_none()
            }
        };
        let output = self.source.output()?;
        if output.bytes() > self.max_bytes {
            return Err(interrupted("the answer is too long"));
        }
        let events = output.take_events();
        Ok((!ended || !events.is_empty()).then_some(events))
    }

    /// Ends a stream that was read to its end: returns how the response ended.
    ///
    /// # Errors
    /// `answer_broke_off` if the provider ended it before it was complete.
    pub fn end(mut self) -> Result<StreamEnd> {
        let output = std::mem::take(self.source.output()?);
        output.end().map_err(|reason| interrupted(&reason))
    }

    /// Reads the whole text, and how the response ended.
    ///
    /// # Errors
    /// As [`ChatStream::next`] and [`ChatStream::end`].
    pub async fn text(mut self) -> Result<(String, StreamEnd)> {
        let mut text = String::new();
        while let Some(pieces) = self.next().await? {
            for piece in pieces {
                match piece {
                    StreamEvent::Text(more) => text.push_str(&more),
                    StreamEvent::Reasoning(_) => {}
                }
            }
        }
        Ok((text, self.end()?))
    }
}

fn not_kept() -> Error {
    Error::internal("the reader of a chat completion did not keep its output")
}

/// The error of a response that ends early.
pub fn interrupted(reason: &str) -> Error {
    let message = format!("the model's answer was interrupted: {reason}");
    Error::new(Kind::BadGateway, "answer_broke_off", message)
}
