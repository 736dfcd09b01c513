//! A chat completion that Loam itself requests, as typed pieces instead of an HTTP response.

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use loam_kernel::{ChatSessionId, Error, Kind, LlmCallId, Result, Scope};
use loam_providers::openai::{StreamEnd, StreamEvent, StreamParser};

use crate::Gateway;

/// The events around a text are many times its size.
const STREAM_OVERHEAD: usize = 64;

/// The pieces of a response, as they arrive. The call is settled when they are read to the end, or dropped.
pub struct ChatStream {
    body: Body,
    parser: StreamParser,
    /// The beginning of a response that is not streamed.
    whole: Option<Vec<u8>>,
    ended: bool,
    bytes: usize,
    max_bytes: usize,
}

impl Gateway {
    /// Completes a chat on behalf of a caller, as [`Gateway::complete_chat`] does. Returns the call, if it was recorded,
    /// and its pieces. A response with more than `max_answer` bytes is refused.
    pub async fn stream_chat(
        &self,
        scope: &Scope,
        session: Option<ChatSessionId>,
        end_user: Option<String>,
        request: Bytes,
        max_answer: usize,
    ) -> (Option<LlmCallId>, Result<ChatStream>) {
        let done = self.complete_chat(scope, session, end_user, request).await;
        let stream = done.response.map(|response| {
            let (head, body) = response.into_parts();
            let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
            ChatStream {
                body,
                parser: StreamParser::default(),
                whole: (!is_stream).then(Vec::new),
                ended: false,
                bytes: 0,
                max_bytes: if is_stream { max_answer * STREAM_OVERHEAD } else { max_answer },
            }
        });
        (done.call, stream)
    }
}

impl ChatStream {
    /// The next pieces, none at the end. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// `answer_broke_off` if the response is interrupted or too long.
    pub async fn next(&mut self) -> Result<Option<Vec<StreamEvent>>> {
        while !self.ended {
            let Some(frame) = self.body.frame().await else {
                self.ended = true;
                break;
            };
            let data = frame.map_err(|e| interrupted(&e.to_string()))?.into_data().unwrap_or_default();
            self.bytes += data.len();
            if self.bytes > self.max_bytes {
                return Err(interrupted("the answer is too long"));
            }
            match &mut self.whole {
                Some(whole) => whole.extend_from_slice(&data),
                None => return Ok(Some(self.parser.push(&data))),
            }
        }
        self.whole.take().map(|whole| self.parser.read_complete(&whole)).transpose()
    }

    /// Ends a stream that was read to its end: returns how the response ended.
    ///
    /// # Errors
    /// `answer_broke_off` if the provider ended it before it was complete.
    pub fn end(self) -> Result<StreamEnd> {
        self.parser.end().map_err(|reason| interrupted(&reason))
    }

    /// Reads the whole text.
    ///
    /// # Errors
    /// As [`ChatStream::next`].
    pub async fn text(mut self) -> Result<String> {
        let mut text = String::new();
        while let Some(pieces) = self.next().await? {
            for piece in pieces {
                match piece {
                    StreamEvent::Text(more) => text.push_str(&more),
                    StreamEvent::Reasoning(_) => {}
                }
            }
        }
        Ok(text)
    }
}

/// The error of a response that ends early.
pub fn interrupted(reason: &str) -> Error {
    let message = format!("the model's answer was interrupted: {reason}");
    Error::new(Kind::BadGateway, "answer_broke_off", message)
}
