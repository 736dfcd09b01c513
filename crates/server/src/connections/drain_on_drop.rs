//! Draining the unread rest of a request body.
//!
//! A response can be sent before its request has been read to the end: the key is invalid, the body too large. hyper then
//! closes the connection while the client is still sending, so that the client may lose the response and can't reuse the
//! connection. So the rest is read and discarded, for a limited time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

/// Maximum time for draining a body.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A request body that is drained when it is dropped before its end.
pub(crate) struct DrainOnDrop {
    /// `None` once it has ended.
    body: Option<Incoming>,
    /// The client expects `100 Continue`: it does not send a body that was not requested.
    waits: bool,
}

impl DrainOnDrop {
    pub(crate) fn new(headers: &HeaderMap, body: Incoming) -> Self {
        Self { body: Some(body), waits: headers.contains_key(header::EXPECT) }
    }
}

impl Body for DrainOnDrop {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for DrainOnDrop {
    fn drop(&mut self) {
        let Some(mut rest) = self.body.take().filter(|body| !self.waits && !body.is_end_stream()) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // ends with the connection, or after the timeout
        runtime.spawn(tokio::time::timeout(
            TIMEOUT,
            async move { while let Some(Ok(_)) = rest.frame().await {} },
        ));
    }
}
