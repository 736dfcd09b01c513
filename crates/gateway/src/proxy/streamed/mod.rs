//! Streamed responses: what is forwarded when. `reading.rs` reads the provider's stream, `settlement.rs` records it.
//!
//! The body below is polled by the client's connection, or by the [`ChatStream`](super::ChatStream) of a call that Loam
//! itself makes, which takes the decoded output instead of the bytes. It forwards complete events as they arrive, all available
//! ones in one chunk. It waits twice: before the first byte, until the intent is durable; before the end, until the
//! settlement is. If it is dropped early, because the client disconnected, it settles what has arrived.

mod chunk;
mod reading;
mod settlement;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http_body::{Body, Frame};
use loam_http::client::Body as ProviderBody;
use loam_kernel::{Error, Result};
use loam_providers::openai::ChatOutput;
use loam_providers::{Forward, Reader};
use tokio::time::Sleep;

use self::chunk::{Chunk, StreamOutcome, join};
use super::Proxy;
use super::call::Call;
use super::response_cache::ResponseHead;
use crate::hook::CLIENT_DISCONNECTED;

type Waiting = BoxFuture<'static, Result<()>>;

/// A response that is forwarded as it arrives.
pub(super) struct Relay {
    proxy: Proxy,
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
    /// The content type, of bytes.
    content_type: Option<String>,
    stage: Stage,
}

enum Stage {
    /// The intent is being synced; the events that have arrived wait.
    Intent { waiting: Waiting, buffered: Bytes },
    /// Events are forwarded.
    Forwarding { intent_durable: bool },
    /// The settlement is being synced; the end waits.
    Settling { waiting: Waiting, last: Result<Bytes> },
    /// The stream has ended.
    Ended,
}

impl Proxy {
    /// Forwards a stream as it arrives. Returns the head for the client, and the body.
    pub(super) fn respond_streamed(
        &self,
        call: Call,
        mut head: ResponseHead,
        first: Forward,
        provider: ProviderBody,
        reader: Box<dyn Reader>,
    ) -> (ResponseHead, Box<Relay>) {
        let stage = Stage::Forwarding { intent_durable: self.0.config.strict };
        let mut content_type = None;
        if reader.forwards_bytes() {
            let named = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            content_type = named.map(str::to_owned);
        } else {
            let events = HeaderValue::from_static("text/event-stream; charset=utf-8");
            head.headers.insert(CONTENT_TYPE, events);
        }
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // nginx must not buffer either
        head.headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        let deadline = call.deadline.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
        let relay = Relay {
            proxy: self.clone(),
            head: call.cache.map(|_| head.clone()),
            call: Some(call),
            provider,
            first: Some(first),
            reader,
            deadline,
            recorded: Vec::new(),
            recorded_bytes: 0,
            content_type,
            stage,
        };
        (head, Box::new(relay))
    }
}

impl Relay {
    /// What the response says, if the reader keeps it. After a chunk was returned, all of it has been forwarded.
    pub(super) fn output(&mut self) -> Option<&mut ChatOutput> {
        self.reader.output()
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
                            let last = last.map(|last| join(now, BytesMut::from(last)));
                            this.stage = Stage::Settling { waiting, last };
                        }
                        Chunk::Bytes(buffered) => {
                            let proxy = this.proxy.clone();
                            let waiting: Waiting = Box::pin(async move {
                                match intent {
                                    Some(intent) => proxy.0.ledger.durable(intent).await,
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
                    let last = std::mem::replace(last, Ok(Bytes::new()));
                    this.stage = Stage::Ended;
                    durable?;
                    let last = last?;
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
            self.proxy.0.calls.spawn_on(finishing, &runtime);
        }
    }
}
