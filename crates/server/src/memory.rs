//! Returns unused memory to the system.
//!
//! The allocator returns freed memory during later allocations. An idle server doesn't allocate, and would keep the memory
//! of its start, or of its peak.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How often a thread returns unused memory.
const EVERY: Duration = Duration::from_mins(1);

/// Returns the memory that this thread has freed, now and periodically.
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
