//! The body of a request with its limits: how large it may be, how long it may take, and what it takes of the memory
//! that all bodies share.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use hyper::body::Bytes;
use loam_http::surface::BodyRefused;
use tokio::time::{Instant, Sleep, sleep_until};

use super::registry::{Charge, Connection};
use super::{Share, Unread};

/// Bytes a second that a body has to bring on the average, once it has had the time that a pause may take.
const SLOWEST: u64 = 16 << 10;

/// What of a body counts, but is not refused for what else is in memory: most requests have no more, and go on while others
/// send more than there is room for.
const LITTLE: usize = 16 << 10;

/// A body with its limits.
pub(crate) struct Metered {
    body: Unread,
    connection: Arc<Connection>,
    charge: Option<Charge>,
    max: usize,
    received: usize,
    patience: Duration,
    /// When it was first waited for.
    begun: Option<Instant>,
    /// Since when it has been waited for.
    waiting: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    /// Limits a body to `max` bytes, and every pause within it to `patience`. With `held` it counts as being in memory
    /// until its request is answered, for whom that says; what is not held is used up piece by piece.
    pub(crate) fn new(
        body: Unread,
        connection: &Arc<Connection>,
        max: usize,
        patience: Duration,
        held: Option<Share>,
    ) -> Self {
        Self {
            body,
            connection: connection.clone(),
            charge: held.map(|share| connection.charge(share)),
            max,
            received: 0,
            patience,
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
            Some(charge) => self.connection.take(charge, bytes, self.received <= LITTLE),
            None => Ok(()),
        }
    }

    /// Ready once the body has taken too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting.get_or_insert_with(|| {
            self.connection.awaits_body(true);
            Instant::now()
        });
        let earned = Duration::from_secs(self.received as u64 / SLOWEST);
        let begun = *self.begun.get_or_insert(since);
        let deadline = (begun + self.patience + earned).min(since + self.patience);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() < deadline {
            // one that rings early is set again then: most never ring
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

impl Body for Metered {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if this.received == 0 && this.body.size_hint().lower() > this.max as u64 {
            // it says itself how long it is: none of it needs to come
            return Poll::Ready(Some(Err(BodyRefused::TooLarge(this.max).into())));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            return this.poll_late(cx).map(|()| Some(Err(BodyRefused::TooSlow.into())));
        };
        if this.waiting.take().is_some() {
            this.connection.awaits_body(false);
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
