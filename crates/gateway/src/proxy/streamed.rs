//! Streamed responses.
//!
//! The body below is polled by the client's connection. It forwards complete events as they arrive, all available
//! ones in one chunk. It waits twice: before the first byte, until the intent is durable; before the end, until the
//! settlement is. If it is dropped early, because the client disconnected, it settles what has arrived.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body as ResponseBody;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http_body::{Body, Frame};
use loam_http::client::Body as ProviderBody;
use loam_kernel::{Error, Result};
use loam_providers::{Forward, Reader};
use tokio::time::Sleep;

use super::call::Call;
use super::error_event;
use super::estimate::estimate;
use super::failure::{FailureKind, interrupted};
use super::response_cache::ResponseHead;
use crate::hook::CLIENT_DISCONNECTED;
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::Outcome;
use crate::service::Inner;

/// The largest chunk that is assembled before it is written.
const MAX_CHUNK: usize = 256 << 10;

/// Why the tokens of a complete response are estimated.
const WITHOUT_USAGE: &str = "the provider ended its stream without `[DONE]` and without usage";

type Waiting = BoxFuture<'static, Result<()>>;

struct Relay {
    gateway: Arc<Inner>,
    /// The call, until it is settled.
    call: Option<Call>,
    /// The head of a response that will be cached.
    head: Option<ResponseHead>,
    provider: ProviderBody,
    /// What can be forwarded of the part that has already arrived.
    first: Option<Forward>,
    reader: Box<dyn Reader>,
    /// The deadline of the call.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The events to record.
    recorded: Vec<Bytes>,
    recorded_bytes: usize,
    stage: Stage,
}

enum Stage {
    /// The intent is being synced; the events that have arrived wait.
    Intent { waiting: Waiting, buffered: Bytes },
    /// Events are forwarded.
    Forwarding { intent_durable: bool },
    /// The settlement is being synced; the end waits.
    Settling { waiting: Waiting, last: Bytes },
    /// The stream has ended.
    Ended,
}

impl Inner {
    /// Forwards a stream as it arrives.
    pub(super) fn respond_streamed(
        self: Arc<Self>,
        call: Call,
        mut head: ResponseHead,
        first: Forward,
        provider: ProviderBody,
        reader: Box<dyn Reader>,
    ) -> Response {
        let stage = Stage::Forwarding { intent_durable: self.config.strict };
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // nginx must not buffer either
        head.headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        let deadline = call.deadline.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
        let relay = Relay {
            gateway: self,
            head: call.cache.map(|_| head.clone()),
            call: Some(call),
            provider,
            first: Some(first),
            reader,
            deadline,
            recorded: Vec::new(),
            recorded_bytes: 0,
            stage,
        };
        let mut response = Response::new(ResponseBody::new(relay));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}

/// The result of polling the provider's stream.
enum Chunk {
    Bytes(Bytes),
    /// The end, with the bytes to be sent last.
    End {
        now: Bytes,
        last: Bytes,
        outcome: StreamOutcome,
    },
}

/// How the provider's stream ended.
struct StreamOutcome {
    /// What the record says, if something went wrong.
    error: Option<String>,
    /// Whether the provider works.
    is_healthy: bool,
}

impl Relay {
    /// Returns all that has arrived; never waits for more once there is something.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Chunk> {
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
                return Poll::Ready(Chunk::End { now: join(single, out), last, outcome });
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
    /// without the reason why the model stopped was broken off, and ends with an event that says so.
    fn provider_closed(&mut self, error: Option<String>) -> (Bytes, StreamOutcome) {
        let rest = self.reader.finish();
        self.record(&rest);
        if self.reader.is_complete() || self.reader.failure().is_some() {
            let mut outcome = self.outcome(None);
            if self.reader.usage().is_none() {
                outcome.error = outcome.error.or_else(|| Some(WITHOUT_USAGE.to_owned()));
            }
            return (rest, outcome);
        }
        let why = error.unwrap_or_else(|| "it ended its stream before the response was complete".to_owned());
        let last = join(rest, BytesMut::from(self.interruption_event(&why)));
        (last, self.outcome(Some(why)))
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

    /// The event that reports the interruption to the client.
    fn interruption_event(&self, error: &str) -> Bytes {
        let Some(call) = &self.call else { return Bytes::new() };
        let error = interrupted(&call.open.record.provider, error);
        error_event::encode(call.endpoint, &error, &call.open.record.request_id)
    }

    /// Records the bytes that are sent to the client.
    fn record(&mut self, bytes: &Bytes) {
        if self.recorded_bytes < self.max_recorded_bytes() && !bytes.is_empty() {
            self.recorded_bytes += bytes.len();
            self.recorded.push(bytes.clone());
        }
    }

    /// The maximum bytes recorded of the stream: estimates need the text even if the ledger does not.
    fn max_recorded_bytes(&self) -> usize {
        let config = &self.gateway.config;
        match self.call.as_ref().is_some_and(|call| call.binding.is_some()) {
            // a conversation stores the complete message
            true => config.max_answer_bytes,
            false => config.record_max_bytes.max(1 << 16),
        }
    }

    /// Settles the call; the future completes when the settlement is durable.
    fn settle(&mut self, outcome: StreamOutcome) -> Waiting {
        let Some(mut call) = self.call.take() else { return Box::pin(async { Ok(()) }) };
        call.record_health(outcome.is_healthy, None);
        call.open.record.error = outcome.error;
        let gateway = self.gateway.clone();
        let max_bytes = gateway.max_recorded_body_bytes(call.open.record.tenant);
        let recorded = std::mem::take(&mut self.recorded);
        match self.reader.usage() {
            Some(usage) => {
                // only a complete response is cached
                if let (Some(head), None) = (&self.head, &call.open.record.error)
                    && self.recorded_bytes < self.max_recorded_bytes()
                {
                    gateway.cache_response(&call, head, &recorded, usage, true);
                }
                let outcome = Outcome {
                    state: CallState::Settled,
                    usage: Some(usage),
                    response: &recorded,
                    events: true,
                };
                let completed = call.completed(&recorded, true, Some(usage));
                let position = gateway.ledger.settle(call.open, &outcome, max_bytes);
                Box::pin(async move { gateway.finish(position?, completed).await })
            }
            None => Box::pin(async move {
                let usage =
                    estimate(call.open.record.tenant, call.request.clone(), recorded.clone(), true).await;
                let outcome =
                    Outcome { state: CallState::Estimated, usage, response: &recorded, events: true };
                let completed = call.completed(&recorded, true, usage);
                let position = gateway.ledger.settle(call.open, &outcome, max_bytes);
                gateway.finish(position?, completed).await
            }),
        }
    }

    fn advance(&mut self, chunk: Chunk) -> Bytes {
        match chunk {
            Chunk::Bytes(bytes) => bytes,
            Chunk::End { now, last, outcome } => {
                let waiting = self.settle(outcome);
                self.stage = Stage::Settling { waiting, last };
                now
            }
        }
    }
}

fn join(single: Bytes, out: BytesMut) -> Bytes {
    if single.is_empty() {
        out.freeze()
    } else if out.is_empty() {
        single
    } else {
        [single, out.freeze()].concat().into()
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        loop {
            match &mut this.stage {
                Stage::Forwarding { intent_durable: true } => {
                    let chunk = ready!(this.poll_events(cx));
                    let bytes = this.advance(chunk);
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
                Stage::Forwarding { intent_durable: false } => {
                    let chunk = ready!(this.poll_events(cx));
                    let intent = this.call.as_ref().map(|call| call.open.intent);
                    match chunk {
                        // the settlement follows the intent: one sync makes both durable
                        Chunk::End { now, last, outcome } => {
                            let waiting = this.settle(outcome);
                            let last = join(now, BytesMut::from(last));
                            this.stage = Stage::Settling { waiting, last };
                        }
                        Chunk::Bytes(buffered) => {
                            let gateway = this.gateway.clone();
                            let waiting: Waiting = Box::pin(async move {
                                match intent {
                                    Some(intent) => gateway.ledger.durable(intent).await,
                                    None => Ok(()),
                                }
                            });
                            this.stage = Stage::Intent { waiting, buffered };
                        }
                    }
                }
                Stage::Intent { waiting, buffered } => {
                    let durable = ready!(waiting.as_mut().poll(cx));
                    let buffered = std::mem::take(buffered);
                    this.stage = Stage::Forwarding { intent_durable: true };
                    durable?;
                    if !buffered.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(buffered))));
                    }
                }
                Stage::Settling { waiting, last } => {
                    // a connection can be reused once its response has been read to the end
                    while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut this.provider).poll_frame(cx) {}
                    let durable = ready!(waiting.as_mut().poll(cx));
                    let last = std::mem::take(last);
                    this.stage = Stage::Ended;
                    durable?;
                    if !last.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(last))));
                    }
                }
                Stage::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl Drop for Relay {
    /// The client disconnected, or the server is stopping: what has arrived is settled all the same.
    fn drop(&mut self) {
        let finishing = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Settling { waiting, .. } => waiting,
            Stage::Ended => return,
            _ => self.settle(StreamOutcome { error: Some(CLIENT_DISCONNECTED.to_owned()), is_healthy: true }),
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.gateway.calls.spawn_on(finishing, &runtime);
        }
    }
}
