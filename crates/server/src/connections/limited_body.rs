//! A request body with limits on its size, its duration and its use of the shared memory budget.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use hyper::body::Bytes;
use loam_http::surface::BodyRefused;
use tokio::time::{Instant, Sleep, sleep_until};

use super::registry::{Charge, Connection};
use super::{DrainOnDrop, Share};

/// Minimum average rate of a body in bytes per second, after the initial timeout.
const MIN_BYTES_PER_SECOND: u64 = 16 << 10;

/// Bytes of a body that are charged but never refused: most requests are not larger, and continue while others exhaust the
/// budget.
const UNCHARGED_BYTES: usize = 16 << 10;

/// A body with its limits.
pub(crate) struct LimitedBody {
    body: DrainOnDrop,
    connection: Arc<Connection>,
    charge: Option<Charge>,
    max: usize,
    received: usize,
    timeout: Duration,
    /// Start of the first wait.
    begun: Option<Instant>,
    /// Start of the current wait.
    waiting: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl LimitedBody {
    /// Limits a body to `max` bytes, and every pause within it to `timeout`. With `held` it is charged to that share until its
    /// request is answered; other bodies are consumed in chunks.
    pub(crate) fn new(
        body: DrainOnDrop,
        connection: &Arc<Connection>,
        max: usize,
        timeout: Duration,
        held: Option<Share>,
    ) -> Self {
        Self {
            body,
            connection: connection.clone(),
            charge: held.map(|share| connection.charge(share)),
            max,
            received: 0,
            timeout,
            begun: None,
            waiting: None,
            alarm: None,
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), BodyRefused> {
        self.received = self.received.saturating_add(bytes);
        if self.received > self.max {
            return Err(BodyRefused::TooLarge(self.max));
        }
        match &self.charge {
            Some(charge) => self.connection.take(charge, bytes, self.received <= UNCHARGED_BYTES),
            None => Ok(()),
        }
    }

    /// Ready once the body has taken too long.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting.get_or_insert_with(|| {
            self.connection.set_reading(true);
            Instant::now()
        });
        let earned = Duration::from_secs(self.received as u64 / MIN_BYTES_PER_SECOND);
        let begun = *self.begun.get_or_insert(since);
        let deadline = (begun + self.timeout + earned).min(since + self.timeout);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() < deadline {
            // an early timer is reset when it fires: most never fire
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx)
    }
}

impl Body for LimitedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if this.received == 0 && this.body.size_hint().lower() > this.max as u64 {
            // its declared length exceeds the limit, so none of it needs to be received
            return Poll::Ready(Some(Err(BodyRefused::TooLarge(this.max).into())));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            return this.poll_timeout(cx).map(|()| Some(Err(BodyRefused::TooSlow.into())));
        };
        if this.waiting.take().is_some() {
            this.connection.set_reading(false);
        }
        Poll::Ready(match frame {
            Some(Ok(frame)) => match this.take(frame.data_ref().map_or(0, Bytes::len)) {
                Ok(()) => Some(Ok(frame)),
                Err(refused) => Some(Err(refused.into())),
            },
            Some(Err(e)) => Some(Err(e.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
