//! CPU-bound work, off the threads that serve requests.

use std::sync::LazyLock;
use std::time::Duration;

use super::threads::THREADS;
use super::{FairLimits, FairPermit, FairShare};
use crate::{Error, Kind, Result, TenantId};

/// How long work waits for a processor before its request is refused.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Waiting tasks per tenant: bounds the memory that they hold.
const MAX_WAITING: usize = 64;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One per process: as many tasks run at a time as there are processors, and tenants take turns.
static PROCESSORS: LazyLock<FairShare> = LazyLock::new(|| {
    let units = std::thread::available_parallelism().map_or(2, usize::from);
    FairShare::new(FairLimits { units, each: units, waiting: MAX_WAITING, timeout: TIMEOUT })
});

/// Runs a tenant's CPU-bound work on the blocking pool: at most one task per processor, tenants in turn.
///
/// # Errors
/// `server_busy` (429) when the tenant's queue is full or the wait times out; an internal error when the work panics.
pub async fn run_blocking_limited<T: Send + 'static>(
    tenant: TenantId,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let permit = PROCESSORS.acquire(tenant).await.map_err(|_| {
        let message = "the server is busy with other work of this kind; try again";
        Error::new(Kind::TooMany, "server_busy", message).with_retry_after(RETRY_AFTER)
    })?;
    run(permit, work).await
}

/// Like [`run_blocking_limited`], for work that an accepted request depends on, such as the settlement of a call: it
/// waits without a limit.
///
/// # Errors
/// An internal error when the work panics.
pub async fn run_blocking_without_timeout<T: Send + 'static>(
    tenant: TenantId,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let permit = PROCESSORS.acquire_without_timeout(tenant).await;
    run(permit, work).await
}

async fn run<T: Send + 'static>(permit: FairPermit, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    // the task owns the permit: a task whose request was dropped still uses the processor until it ends
    let done = THREADS.spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.map_err(Error::internal)
}
