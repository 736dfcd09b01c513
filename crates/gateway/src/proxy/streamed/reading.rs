//! Reads the provider's stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http_body::Body;
use loam_kernel::Error;
use loam_providers::Forward;
use tokio::time::Sleep;

use super::Relay;
use super::chunk::{Chunk, StreamOutcome, join};
use crate::proxy::error_event;
use crate::proxy::failure::{FailureKind, interrupted};

/// The largest chunk that is assembled before it is written.
const MAX_CHUNK: usize = 256 << 10;

/// Why the tokens of a complete response are estimated.
const WITHOUT_USAGE: &str = "the provider ended its stream without `[DONE]` and without usage";

impl Relay {
    /// Returns all that has arrived; never waits for more once there is something.
    pub(super) fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Chunk> {
        let mut out = BytesMut::new();
        let mut single = Bytes::new();
        loop {
            let forward = match self.poll_forward(cx) {
                Poll::Pending if out.is_empty() && single.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Chunk::Bytes(join(single, out))),
                Poll::Ready(Ok(Some(forward))) => forward,
                Poll::Ready(end) => {
                    let (last, outcome) = self.provider_closed(end.err());
                    return Poll::Ready(Chunk::End { now: join(single, out), last, outcome });
                }
            };
            self.record(&forward.now);
            forward.last.iter().for_each(|last| self.record(last));
            // one chunk is forwarded without a copy; several are joined
            if single.is_empty() && out.is_empty() {
                single = forward.now;
            } else {
                if out.is_empty() {
                    out.put(std::mem::take(&mut single));
                }
                out.put(forward.now);
            }
            if let Some(last) = forward.last {
                let outcome = self.outcome(None);
                return Poll::Ready(Chunk::End { now: join(single, out), last: Ok(last), outcome });
            }
            if out.len() >= MAX_CHUNK {
                return Poll::Ready(Chunk::Bytes(join(single, out)));
            }
        }
    }

    /// The next chunk for the client; none at the end of the provider's stream.
    fn poll_forward(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Forward>, String>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Ok(Some(first)));
        }
        match Pin::new(&mut self.provider).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                Poll::Ready(Ok(Some(self.reader.push(frame.into_data().unwrap_or_default()))))
            }
            Poll::Ready(Some(Err(e))) => Poll::Ready(Err(e.to_string())),
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Pending => {
                let expired = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(cx).is_ready();
                match self.deadline.as_mut().is_some_and(expired) {
                    true => Poll::Ready(Err("the route's total timeout passed".to_owned())),
                    false => Poll::Pending,
                }
            }
        }
    }

    /// The provider closed without the regular end, or the connection failed: what the client gets last. A response
    /// without the reason why the model stopped was broken off, and ends with an event that says so. Bytes have no
    /// events: if the connection failed, the client's fails too.
    fn provider_closed(&mut self, error: Option<String>) -> (Result<Bytes, Error>, StreamOutcome) {
        if self.reader.forwards_bytes() {
            let interrupted = error.as_ref().map(|why| self.interruption(why));
            return (interrupted.map_or_else(|| Ok(Bytes::new()), Err), self.outcome(error));
        }
        let rest = self.reader.finish();
        self.record(&rest);
        if self.reader.is_complete() || self.reader.failure().is_some() {
            let mut outcome = self.outcome(None);
            if self.reader.usage().is_none() && self.reader.quantity().is_none() {
                outcome.error = outcome.error.or_else(|| Some(WITHOUT_USAGE.to_owned()));
            }
            return (Ok(rest), outcome);
        }
        let why = error.unwrap_or_else(|| "it ended its stream before the response was complete".to_owned());
        let last = join(rest, BytesMut::from(self.interruption_event(&why)));
        (Ok(last), self.outcome(Some(why)))
    }

    /// The outcome, from what the provider has sent, or from why it broke off.
    fn outcome(&self, broke_off: Option<String>) -> StreamOutcome {
        let failure = self.reader.failure();
        let is_healthy = broke_off.is_none()
            && failure
                .is_none_or(|failure| FailureKind::of_status(failure.status) == FailureKind::InvalidRequest);
        let error = broke_off.or_else(|| failure.map(|failure| failure.message.clone()));
        StreamOutcome { error, is_healthy }
    }

    fn interruption(&self, why: &str) -> Error {
        let provider = self.call.as_ref().map(|call| call.open.record.provider.as_str());
        interrupted(provider.unwrap_or_default(), why)
    }

    /// The event that reports the interruption to the client. A caller that takes the output finds it there.
    fn interruption_event(&mut self, why: &str) -> Bytes {
        let Some(call) = &self.call else { return Bytes::new() };
        let error = self.interruption(why);
        if let Some(output) = self.reader.output() {
            output.fail(error.message().to_owned());
        }
        let own = self.reader.interrupted(&error);
        own.unwrap_or_else(|| error_event::encode(call.endpoint, &error, &call.open.record.request_id))
    }
}
