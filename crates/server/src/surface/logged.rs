//! Bodies of requests that are recorded: what passes is counted, and kept when somebody wants that.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use loam_platform::api_logs::Ending;

/// What was kept of a body, up to one byte more than is wanted, by which a longer one is known.
#[derive(Clone)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>, usize);

impl Kept {
    pub(super) fn new(max: usize) -> Self {
        Self(Arc::default(), max.saturating_add(1))
    }

    fn add(&self, data: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.1.saturating_sub(kept.len());
        kept.extend_from_slice(&data[..data.len().min(room)]);
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A body whose data is kept as it passes.
pub(super) struct Tee<B> {
    body: B,
    kept: Kept,
}

impl<B> Tee<B> {
    pub(super) fn new(body: B, kept: Kept) -> Self {
        Self { body, kept }
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
            self.kept.add(data);
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

/// The body of an answer that is recorded when it has ended, or is given up.
struct Logged {
    body: Body,
    bytes: u64,
    request: Option<Kept>,
    response: Option<Kept>,
    ending: Option<Ending>,
}

/// Has an answer recorded at its end.
pub(super) fn record_at_end(ending: Ending, request: Option<Kept>, answer: Response) -> Response {
    let json = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let response = (ending.keep_body > 0 && json).then(|| Kept::new(ending.keep_body));
    answer.map(|body| Body::new(Logged { body, bytes: 0, request, response, ending: Some(ending) }))
}

impl HttpBody for Logged {
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
            if let Some(kept) = &self.response {
                kept.add(data);
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

impl Drop for Logged {
    fn drop(&mut self) {
        let Some(ending) = self.ending.take() else { return };
        let (request, response) =
            (self.request.as_ref().map(Kept::take), self.response.as_ref().map(Kept::take));
        ending.record(self.bytes, request.as_deref(), response.as_deref());
    }
}
