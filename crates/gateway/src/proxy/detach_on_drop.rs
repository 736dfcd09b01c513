//! Work that continues when its caller is gone.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, FutureExt};
use loam_kernel::{Error, Result};
use tokio_util::task::TaskTracker;

/// A future that runs where it is awaited and, if dropped, to its end in a task of its own: a client that disconnects
/// must not prevent the recording of a response that is paid for. A task from the start would do the same, but cost
/// every call two more task switches.
pub(super) struct DetachOnDrop<T: Send + 'static>(Option<BoxFuture<'static, T>>);

/// Runs `work` this way; the tracker tracks it until it has ended. A panic becomes an error.
pub(super) fn detach_on_drop<T: Send + 'static>(
    tracker: &TaskTracker,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> DetachOnDrop<Result<T>> {
    let caught = AssertUnwindSafe(work)
        .catch_unwind()
        .map(|done| done.unwrap_or_else(|_| Err(Error::internal("a call panicked; see the log"))));
    DetachOnDrop(Some(Box::pin(tracker.track_future(caught))))
}

impl<T: Send + 'static> Future for DetachOnDrop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let work = self.0.as_mut().expect("a future isn't polled again once it is ready");
        let done = std::task::ready!(work.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for DetachOnDrop<T> {
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
    async fn a_dropped_future_runs_to_its_end() {
        let (tracker, (ended, end)) = (TaskTracker::new(), tokio::sync::oneshot::channel());
        let mut work = detach_on_drop(&tracker, async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            _ = ended.send(7);
            Ok(())
        });
        assert!((&mut work).now_or_never().is_none(), "it has started");
        drop(work);
        assert_eq!(end.await, Ok(7));
        tracker.close();
        tracker.wait().await;
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_that_call_only() {
        let tracker = TaskTracker::new();
        let work = detach_on_drop(&tracker, async { if true { panic!("planted") } else { Ok(()) } });
        assert_eq!(work.await.expect_err("an error").status(), 500);
        assert!(tracker.is_empty());
    }
}
