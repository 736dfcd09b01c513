//! Bodies of recorded requests: counted, and captured if configured.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use loam_platform::api_logs::PendingRecord;

/// The captured part of a body, up to one byte more than the maximum, which shows that it is longer.
#[derive(Clone)]
pub(super) struct CapturedBody(Arc<Mutex<Vec<u8>>>, usize);

impl CapturedBody {
    pub(super) fn new(max: usize) -> Self {
        Self(Arc::default(), max.saturating_add(1))
    }

    fn add(&self, data: &[u8]) {
        let mut captured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.1.saturating_sub(captured.len());
        captured.extend_from_slice(&data[..data.len().min(room)]);
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A body whose data is captured as it passes.
pub(super) struct Tee<B> {
    body: B,
    captured: CapturedBody,
}

impl<B> Tee<B> {
    pub(super) fn new(body: B, captured: CapturedBody) -> Self {
        Self { body, captured }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Tee<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.captured.add(data);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body that is recorded when it ends or is dropped.
struct RecordedBody {
    body: Body,
    bytes: u64,
    request: Option<CapturedBody>,
    response: Option<CapturedBody>,
    pending: Option<PendingRecord>,
}

/// Records a response at its end.
pub(super) fn record_at_end(
    pending: PendingRecord,
    request: Option<CapturedBody>,
    answer: Response,
) -> Response {
    let json = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let response = (pending.keep_body > 0 && json).then(|| CapturedBody::new(pending.keep_body));
    answer.map(|body| Body::new(RecordedBody { body, bytes: 0, request, response, pending: Some(pending) }))
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.bytes += data.len() as u64;
            if let Some(captured) = &self.response {
                captured.add(data);
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RecordedBody {
    fn drop(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        let (request, response) =
            (self.request.as_ref().map(CapturedBody::take), self.response.as_ref().map(CapturedBody::take));
        pending.record(self.bytes, request.as_deref(), response.as_deref());
    }
}
