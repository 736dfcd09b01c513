//! Memory that is not needed any more goes back to the system.
//!
//! The allocator gives back what was freed while it is asked for more. A server that has become idle asks for nothing, and
//! would keep what its start, or its busiest minute, took.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How often a thread gives back what it doesn't use.
const EVERY: Duration = Duration::from_mins(1);

/// Gives back what this thread has freed, now and from time to time.
pub(crate) async fn give_back(stop: CancellationToken) {
    loop {
        // SAFETY: it takes no pointer, and may be called by any thread at any time
        #[expect(unsafe_code, reason = "the allocator has no safe form of it")]
        unsafe {
            libmimalloc_sys::mi_collect(true);
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}
