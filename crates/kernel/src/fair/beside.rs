//! Work that takes a while, beside the threads that serve requests.

use std::sync::LazyLock;
use std::time::Duration;

use super::threads::THREADS;
use super::{FairLimits, FairPermit, FairShare};
use crate::{Error, Kind, Result, TenantId};

/// How long work waits for a processor before its request is refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pieces of one tenant's work that wait, so that what they hold in memory is bounded.
const WAITING: usize = 64;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The machine's processors, which a process has once: so much heavy work runs at a time, and tenants take turns.
static PROCESSORS: LazyLock<FairShare> = LazyLock::new(|| {
    let units = std::thread::available_parallelism().map_or(2, usize::from);
    FairShare::new(FairLimits { units, each: units, waiting: WAITING, patience: PATIENCE })
});

/// Runs a tenant's heavy work apart from the threads that serve, at most as much at once as there are processors, and
/// tenants in turn.
///
/// # Errors
/// `server_busy` (429) when too much of the tenant's work waits already, or none of it got its turn in time; an internal
/// error when the work panics.
pub async fn beside<T: Send + 'static>(
    tenant: TenantId,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let permit = PROCESSORS.acquire(tenant).await.map_err(|_| {
        let message = "the server has too much of this to do already; try again";
        Error::new(Kind::TooMany, "server_busy", message).with_retry_after(RETRY_AFTER)
    })?;
    run(permit, work).await
}

/// The same for work that something accepted already depends on, such as the account of a call: it waits for its turn
/// however long that takes.
///
/// # Errors
/// An internal error when the work panics.
pub async fn beside_patiently<T: Send + 'static>(
    tenant: TenantId,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let permit = PROCESSORS.acquire_patiently(tenant).await;
    run(permit, work).await
}

async fn run<T: Send + 'static>(permit: FairPermit, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    // the permit goes along: work whose request has gone still takes the processor until it is done
    let done = THREADS.spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.map_err(Error::internal)
}
