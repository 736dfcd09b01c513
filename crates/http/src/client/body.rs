//! A response body with an idle timeout.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::decode::Decoder;
use super::pool::Lease;

/// A response body. Reading it to its end returns the connection to the pool; dropping it earlier closes the connection.
///
/// Polling it until it is pending yields everything that has arrived, without waiting.
pub struct Body {
    incoming: Incoming,
    /// None once the body has ended or failed.
    lease: Option<Lease>,
    /// Of a compressed body.
    decoder: Option<Box<Decoder>>,
    idle: Duration,
    /// Start of the reader's current wait.
    silent_since: Option<Instant>,
    /// A timer that fires while the reader waits; reset when it fires, not with each frame.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The idle timeout expired.
    #[error("no data of the response for {after:?}")]
    Idle {
        /// The timeout.
        after: Duration,
    },
    /// The connection was closed or broke before the end, or what came is not valid HTTP.
    #[error("the response was cut short")]
    Cut {
        /// What the connection reported.
        source: hyper::Error,
    },
    /// It is not compressed as its head says, or was cut.
    #[error("the response can't be decompressed")]
    Encoding {
        /// What the decoder reported.
        source: io::Error,
    },
}

impl Body {
    pub(super) fn new(
        incoming: Incoming,
        lease: Lease,
        decoder: Option<Box<Decoder>>,
        idle: Duration,
    ) -> Self {
        let mut body = Self { incoming, lease: Some(lease), decoder, idle, silent_since: None, alarm: None };
        body.settle();
        body
    }

    /// Returns the connection to the pool if the body is complete.
    fn settle(&mut self) {
        if http_body::Body::is_end_stream(&self.incoming) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.silent_since.get_or_insert_with(Instant::now) + self.idle;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        while alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() >= deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl Body {
    /// The next frame as it was sent.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self;
        let Some(lease) = &mut this.lease else { return Poll::Ready(None) };
        // Frames come from `drive` alone, which registers the real waker with the socket.
        let unheard = &mut Context::from_waker(Waker::noop());
        let mut frame = http_body::Body::poll_frame(Pin::new(&mut this.incoming), unheard);
        if frame.is_pending() {
            lease.drive(cx);
            frame = http_body::Body::poll_frame(Pin::new(&mut this.incoming), unheard);
        }
        match frame {
            Poll::Ready(Some(Ok(frame))) => {
                this.silent_since = None;
                this.settle();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(source))) => {
                this.lease = None;
                Poll::Ready(Some(Err(BodyError::Cut { source })))
            }
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Pending => {
                if this.poll_silence(cx).is_pending() {
                    return Poll::Pending;
                }
                this.lease = None;
                Poll::Ready(Some(Err(BodyError::Idle { after: this.idle })))
            }
        }
    }

    /// The next decoded bytes.
    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while let Some(decoder) = &mut self.decoder {
            let decoded = match decoder.next() {
                Ok(None) => match ready!(self.poll_sent(cx)) {
                    Some(Ok(frame)) => {
                        let bytes = frame.into_data().unwrap_or_default();
                        self.decoder.iter_mut().for_each(|decoder| decoder.push(bytes.clone()));
                        continue;
                    }
                    Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                    None => self.decoder.take().map(|mut decoder| decoder.finish()).transpose(),
                },
                decoded => decoded,
            };
            return match decoded {
                Ok(Some(bytes)) if bytes.is_empty() => Poll::Ready(None),
                Ok(bytes) => Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes)))),
                Err(source) => {
                    (self.decoder, self.lease) = (None, None);
                    Poll::Ready(Some(Err(BodyError::Encoding { source })))
                }
            };
        }
        Poll::Ready(None)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.decoder.is_some() { this.poll_decoded(cx) } else { this.poll_sent(cx) }
    }

    fn is_end_stream(&self) -> bool {
        self.lease.is_none() && self.decoder.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.decoder.is_some() { SizeHint::default() } else { http_body::Body::size_hint(&self.incoming) }
    }
}
