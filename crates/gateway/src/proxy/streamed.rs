//! Answers that come as a stream of events.
//!
//! The body below is polled by the connection to the client. It hands on whole events as they come, all that have
//! arrived in one piece. It waits twice: before the first byte, until the intent is durable; before the end, until the
//! settlement is. Dropped early, because the client hung up, it settles what came.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body as AnswerBody;
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
use super::estimate::estimate;
use super::fault;
use super::send::{Head, broke_off};
use crate::hook::HUNG_UP;
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::Outcome;
use crate::service::Inner;

/// No more than this is put together before it is written.
const MAX_PIECE: usize = 256 << 10;

/// What the record says of a stream that just stopped.
const CUT: &str = "the provider ended its stream without `[DONE]` and without usage";

type Waiting = BoxFuture<'static, Result<()>>;

struct Relay {
    gateway: Arc<Inner>,
    /// Until it is settled.
    call: Option<Call>,
    /// Of an answer that is kept for others.
    head: Option<Head>,
    provider: ProviderBody,
    /// What has come of it already.
    first: Bytes,
    reader: Box<dyn Reader>,
    /// When the call must have ended.
    deadline: Option<Pin<Box<Sleep>>>,
    /// What came, for the record.
    kept: Vec<Bytes>,
    kept_bytes: usize,
    stage: Stage,
}

enum Stage {
    /// The intent is on its way to the disk; what has come meanwhile waits.
    Intent { waiting: Waiting, held: Bytes },
    /// Events come and go.
    Flowing { intent_durable: bool },
    /// The settlement is on its way to the disk; the end waits.
    Settling { waiting: Waiting, last: Bytes },
    /// Nothing more comes.
    Ended,
}

impl Inner {
    /// Hands a stream on as it comes.
    pub(super) fn answer_streamed(
        self: Arc<Self>,
        call: Call,
        mut head: Head,
        first: Bytes,
        provider: ProviderBody,
        reader: Box<dyn Reader>,
    ) -> Response {
        let stage = Stage::Flowing { intent_durable: self.config.strict };
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // nginx in front must not wait for more either
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
            kept: Vec::new(),
            kept_bytes: 0,
            stage,
        };
        let mut response = Response::new(AnswerBody::new(relay));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}

/// What a look at the provider's stream gave.
enum Piece {
    Bytes(Bytes),
    /// The end, with what is to be sent last.
    End {
        now: Bytes,
        last: Bytes,
        error: Option<String>,
    },
}

impl Relay {
    /// Takes all that has arrived; never waits for more once there is something.
    fn take(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        let mut out = BytesMut::new();
        let mut single = Bytes::new();
        loop {
            let arrived = match self.poll_provider(cx) {
                Poll::Pending if out.is_empty() && single.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Piece::Bytes(join(single, out))),
                Poll::Ready(Ok(Some(arrived))) => arrived,
                Poll::Ready(end) => {
                    let error = end.err();
                    let rest = self.reader.finish();
                    self.keep(&rest);
                    out.put(rest);
                    let last = error.as_ref().map(|e| self.broken_off(e)).unwrap_or_default();
                    // some providers end so all the time; the client sees what its provider sent, the record says why
                    // its tokens are estimated
                    let cut = || self.reader.usage().is_none().then(|| CUT.to_owned());
                    let error = error.or_else(|| self.reader.failure()).or_else(cut);
                    return Poll::Ready(Piece::End { now: join(single, out), last, error });
                }
            };
            let forward = self.reader.push(arrived);
            self.keep(&forward.now);
            forward.last.iter().for_each(|last| self.keep(last));
            // one piece goes on as it is; only the second makes a copy worth it
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
                return Poll::Ready(Piece::End { now: join(single, out), last, error });
            }
            if out.len() >= MAX_PIECE {
                return Poll::Ready(Piece::Bytes(join(single, out)));
            }
        }
    }

    /// The next part of the stream; none at its end.
    fn poll_provider(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, String>> {
        let arrived = if self.first.is_empty() {
            match Pin::new(&mut self.provider).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(e))) => return Poll::Ready(Err(e.to_string())),
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Pending => {
                    let late = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(cx).is_ready();
                    return match self.deadline.as_mut().is_some_and(late) {
                        true => Poll::Ready(Err("the route's total time-out ran out".to_owned())),
                        false => Poll::Pending,
                    };
                }
            }
        } else {
            std::mem::take(&mut self.first)
        };
        self.call.iter_mut().for_each(Call::mark_first);
        Poll::Ready(Ok(Some(arrived)))
    }

    /// The event that tells the client that something went wrong.
    fn broken_off(&self, error: &str) -> Bytes {
        let Some(call) = &self.call else { return Bytes::new() };
        let error = broke_off(&call.open.record.provider, error);
        fault::event(call.endpoint, &error, &call.open.record.request_id)
    }

    /// Keeps what goes to the client for the record.
    fn keep(&mut self, bytes: &Bytes) {
        if self.kept_bytes < self.room() && !bytes.is_empty() {
            self.kept_bytes += bytes.len();
            self.kept.push(bytes.clone());
        }
    }

    /// How many bytes of the stream are kept: estimates need the text even if the record does not.
    fn room(&self) -> usize {
        let config = &self.gateway.config;
        match self.call.as_ref().is_some_and(|call| call.place.is_some()) {
            // a conversation keeps all of what was said
            true => config.max_answer_bytes,
            false => config.record_max_bytes.max(1 << 16),
        }
    }

    /// Settles the call; the future ends when that is durable.
    fn settle(&mut self, error: Option<String>) -> Waiting {
        let Some(mut call) = self.call.take() else { return Box::pin(async { Ok(()) }) };
        call.open.record.error = error;
        let gateway = self.gateway.clone();
        let keep = gateway.keep(call.open.record.tenant);
        let kept = std::mem::take(&mut self.kept);
        match self.reader.usage() {
            Some(usage) => {
                // what the client saw to its end, it would see again
                if let (Some(head), None) = (&self.head, &call.open.record.error)
                    && self.kept_bytes < self.room()
                {
                    gateway.keep_answer(&call, head, &kept, usage, true);
                }
                let outcome =
                    Outcome { state: CallState::Settled, usage: Some(usage), answer: &kept, events: true };
                let told = call.told(&kept, true, Some(usage));
                let settled = gateway.ledger.settle(call.open, &outcome, keep);
                Box::pin(async move { gateway.settled(settled?, told).await })
            }
            None => Box::pin(async move {
                let usage = estimate(call.open.record.tenant, call.request.clone(), kept.clone(), true).await;
                let outcome = Outcome { state: CallState::Estimated, usage, answer: &kept, events: true };
                let told = call.told(&kept, true, usage);
                let settled = gateway.ledger.settle(call.open, &outcome, keep);
                gateway.settled(settled?, told).await
            }),
        }
    }

    fn advance(&mut self, piece: Piece) -> Bytes {
        match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::End { now, last, error } => {
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
                Stage::Flowing { intent_durable: true } => {
                    let piece = ready!(this.take(cx));
                    let bytes = this.advance(piece);
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
                Stage::Flowing { intent_durable: false } => {
                    let piece = ready!(this.take(cx));
                    let intent = this.call.as_ref().map(|call| call.open.intent);
                    match piece {
                        // the settlement stands behind the intent: one sync makes both durable
                        Piece::End { now, last, error } => {
                            let waiting = this.settle(error);
                            let last = join(now, BytesMut::from(last));
                            this.stage = Stage::Settling { waiting, last };
                        }
                        Piece::Bytes(held) => {
                            let gateway = this.gateway.clone();
                            let waiting: Waiting = Box::pin(async move {
                                match intent {
                                    Some(intent) => gateway.ledger.durable(intent).await,
                                    None => Ok(()),
                                }
                            });
                            this.stage = Stage::Intent { waiting, held };
                        }
                    }
                }
                Stage::Intent { waiting, held } => {
                    let durable = ready!(waiting.as_mut().poll(cx));
                    let held = std::mem::take(held);
                    this.stage = Stage::Flowing { intent_durable: true };
                    durable?;
                    if !held.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(held))));
                    }
                }
                Stage::Settling { waiting, last } => {
                    // a connection whose answer is read to its very end can serve the next call
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
    /// The client hung up, or the server is stopping: what came is settled all the same.
    fn drop(&mut self) {
        let finishing = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Settling { waiting, .. } => waiting,
            Stage::Ended => return,
            _ => self.settle(Some(HUNG_UP.to_owned())),
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.gateway.calls.spawn_on(finishing, &runtime);
        }
    }
}
