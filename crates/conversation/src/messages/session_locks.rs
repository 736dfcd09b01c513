//! Locks that serialize the writers of a session within this process.
//!
//! The session's row lock orders them anyway. But a writer that waits for the row holds a database
//! connection: a few dozen writers of one session would use up all connections.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use loam_kernel::{ChatSessionId, Error, FairLimits, FairPermit, FairShare, Kind, Result, TenantId};

/// Number of locks; each is shared by many sessions. If two tenants share a lock, they take turns.
const LOCKS: usize = 256;
/// How long a writer waits for the lock: as long as for a connection.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of waiting requests of one tenant per lock.
const MAX_WAITING: usize = 1024;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The session locks of this process.
pub(crate) struct SessionLocks {
    locks: Vec<FairShare>,
    hasher: RandomState,
}

impl SessionLocks {
    pub(crate) fn new() -> Self {
        let limits = FairLimits { units: 1, each: 1, waiting: MAX_WAITING, timeout: TIMEOUT };
        let locks = (0..LOCKS).map(|_| FairShare::new(limits)).collect();
        Self { locks, hasher: RandomState::new() }
    }

    /// Waits until no other writer of this process holds the session. Dropping the permit releases the lock.
    pub(crate) async fn acquire(&self, tenant: TenantId, session: ChatSessionId) -> Result<FairPermit> {
        let index = usize::try_from(self.hasher.hash_one(session) % LOCKS as u64).unwrap_or_default();
        self.locks[index].acquire(tenant).await.map_err(|_| {
            let message = "too many concurrent writes to this session; try again";
            Error::new(Kind::TooMany, "session_busy", message).with_retry_after(RETRY_AFTER)
        })
    }
}
