//! Work that goes on though nobody waits for it any more.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, FutureExt};
use loam_kernel::{Error, Result};
use tokio_util::task::TaskTracker;

/// A future that runs where it is awaited, and, should it be given up, to its end in a task of its own: a client that
/// hangs up must not keep an answer that is paid for off the record. A task from the beginning would do the same, and
/// cost every call two more switches between tasks.
pub(super) struct KeptOn<T: Send + 'static>(Option<BoxFuture<'static, T>>);

/// Runs it so; the tracker knows of it until it has ended. A panic in it becomes an error.
pub(super) fn keep_on<T: Send + 'static>(
    tracker: &TaskTracker,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> KeptOn<Result<T>> {
    let caught = AssertUnwindSafe(work).catch_unwind().map(|done| {
        done.unwrap_or_else(|_| Err(Error::internal("a call ended in a panic, which stands in the log")))
    });
    KeptOn(Some(Box::pin(tracker.track_future(caught))))
}

impl<T: Send + 'static> Future for KeptOn<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let work = self.0.as_mut().expect("a future isn't polled again once it is ready");
        let done = std::task::ready!(work.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for KeptOn<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_given_up_goes_on_to_its_end() {
        let (tracker, (ended, end)) = (TaskTracker::new(), tokio::sync::oneshot::channel());
        let mut work = keep_on(&tracker, async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            _ = ended.send(7);
            Ok(())
        });
        assert!((&mut work).now_or_never().is_none(), "it has begun");
        drop(work);
        assert_eq!(end.await, Ok(7));
        tracker.close();
        tracker.wait().await;
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_one_call() {
        let tracker = TaskTracker::new();
        let work = keep_on(&tracker, async { if true { panic!("planted") } else { Ok(()) } });
        assert_eq!(work.await.expect_err("an error").status(), 500);
        assert!(tracker.is_empty());
    }
}
