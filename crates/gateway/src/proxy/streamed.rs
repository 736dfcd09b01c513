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
use loam_providers::Reader;
use tokio::time::Sleep;

use super::call::Call;
use super::error_event;
use super::estimate::estimate;
use super::response_cache::ResponseHead;
use super::send::interrupted;
use crate::hook::CLIENT_DISCONNECTED;
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::Outcome;
use crate::service::Inner;

/// The largest chunk that is assembled before it is written.
const MAX_CHUNK: usize = 256 << 10;

/// The error of a stream that ended early.
const INCOMPLETE: &str = "the provider ended its stream without `[DONE]` and without usage";

type Waiting = BoxFuture<'static, Result<()>>;

struct Relay {
    gateway: Arc<Inner>,
    /// The call, until it is settled.
    call: Option<Call>,
    /// The head of a response that will be cached.
    head: Option<ResponseHead>,
    provider: ProviderBody,
    /// The part that has already arrived.
    first: Bytes,
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
        first: Bytes,
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
            first,
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
        error: Option<String>,
    },
}

impl Relay {
    /// Returns all that has arrived; never waits for more once there is something.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Chunk> {
        let mut out = BytesMut::new();
        let mut single = Bytes::new();
        loop {
            let arrived = match self.poll_provider(cx) {
                Poll::Pending if out.is_empty() && single.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Chunk::Bytes(join(single, out))),
                Poll::Ready(Ok(Some(arrived))) => arrived,
                Poll::Ready(end) => {
                    let error = end.err();
                    let rest = self.reader.finish();
                    self.record(&rest);
                    out.put(rest);
                    let last = error.as_ref().map(|e| self.interruption_event(e)).unwrap_or_default();
                    // some providers always end this way; the client receives what the provider sent, and the record
                    // says why the tokens are estimated
                    let incomplete = || self.reader.usage().is_none().then(|| INCOMPLETE.to_owned());
                    let error = error.or_else(|| self.reader.failure()).or_else(incomplete);
                    return Poll::Ready(Chunk::End { now: join(single, out), last, error });
                }
            };
            let forward = self.reader.push(arrived);
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
                let error = self.reader.failure();
                return Poll::Ready(Chunk::End { now: join(single, out), last, error });
            }
            if out.len() >= MAX_CHUNK {
                return Poll::Ready(Chunk::Bytes(join(single, out)));
            }
        }
    }

    /// The next chunk of the stream; none at its end.
    fn poll_provider(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, String>> {
        let arrived = if self.first.is_empty() {
            match Pin::new(&mut self.provider).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(e))) => return Poll::Ready(Err(e.to_string())),
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Pending => {
                    let expired = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(cx).is_ready();
                    return match self.deadline.as_mut().is_some_and(expired) {
                        true => Poll::Ready(Err("the route's total timeout passed".to_owned())),
                        false => Poll::Pending,
                    };
                }
            }
        } else {
            std::mem::take(&mut self.first)
        };
        self.call.iter_mut().for_each(Call::mark_first_byte);
        Poll::Ready(Ok(Some(arrived)))
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
    fn settle(&mut self, error: Option<String>) -> Waiting {
        let Some(mut call) = self.call.take() else { return Box::pin(async { Ok(()) }) };
        call.open.record.error = error;
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
            Chunk::End { now, last, error } => {
                let waiting = self.settle(error);
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
                        Chunk::End { now, last, error } => {
                            let waiting = this.settle(error);
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
            _ => self.settle(Some(CLIENT_DISCONNECTED.to_owned())),
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.gateway.calls.spawn_on(finishing, &runtime);
        }
    }
}
