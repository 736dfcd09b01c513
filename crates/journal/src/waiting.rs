//! Futures that complete when the log is durable.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::dispatch::Ticket;
use crate::error::DurableError;
use crate::shared::Shared;
use crate::state::Status;

/// Completes when everything up to a position is durable. May be dropped at any time.
#[must_use = "a frame may be acknowledged only when this has completed with success"]
pub struct Durable {
    shared: Arc<Shared>,
    position: u64,
    /// Whether it keeps waiting if the disk fails: for a reader.
    ignoring_disk_errors: bool,
    blocking: bool,
    ticket: Option<Ticket>,
}

impl Durable {
    pub(crate) fn new(shared: Arc<Shared>, position: u64) -> Self {
        Self { shared, position, ignoring_disk_errors: false, blocking: false, ticket: None }
    }

    pub(crate) fn ignoring_disk_errors(mut self) -> Self {
        self.ignoring_disk_errors = true;
        self
    }

    /// Blocks this thread until it completes.
    pub(crate) fn block(mut self) -> Result<(), DurableError> {
        self.blocking = true;
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut this = pin!(self);
        loop {
            match this.as_mut().poll(&mut context) {
                Poll::Ready(result) => return result,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    fn check(&self) -> Poll<Result<(), DurableError>> {
        // The status first: a position can become durable, and never ceases to be.
        let status = self.shared.status();
        if self.shared.durable() >= self.position {
            return Poll::Ready(Ok(()));
        }
        match status {
            Status::Closed => Poll::Ready(Err(DurableError::Closed)),
            Status::In(failure) if !self.ignoring_disk_errors => Poll::Ready(Err(failure.into())),
            _ => Poll::Pending,
        }
    }
}

impl Future for Durable {
    type Output = Result<(), DurableError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(result) = self.check() {
            self.ticket = None;
            return Poll::Ready(result);
        }
        if !self.ticket.as_ref().is_some_and(|ticket| ticket.renew(context.waker())) {
            self.ticket = self.shared.dispatchers.register(self.position, context.waker(), self.blocking);
        }
        // Once more, since it may have happened before the registration was there to be seen.
        self.check()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
