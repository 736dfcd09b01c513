//! Who adds to the same session goes one behind the other.
//!
//! The session's row orders them anyway. But whoever waits for a row in the database holds a connection meanwhile: some
//! dozen writers of one session would take all there are, from everybody.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use loam_kernel::{ChatSessionId, Error, FairLimits, FairPermit, FairShare, Kind, Result, TenantId};

/// Sessions share so many lanes; where two tenants' sessions share one, the tenants take turns.
const LANES: usize = 256;
/// How long somebody waits for those before: as long as for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests of one tenant that wait in a lane.
const WAITING: usize = 1024;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The lanes of this process.
pub(crate) struct Lanes {
    lanes: Vec<FairShare>,
    hasher: RandomState,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        let limits = FairLimits { units: 1, each: 1, waiting: WAITING, patience: PATIENCE };
        let lanes = (0..LANES).map(|_| FairShare::new(limits)).collect();
        Self { lanes, hasher: RandomState::new() }
    }

    /// Waits until nobody else of this process adds to the session; others come in when what is given is dropped.
    pub(crate) async fn enter(&self, tenant: TenantId, session: ChatSessionId) -> Result<FairPermit> {
        let place = usize::try_from(self.hasher.hash_one(session) % LANES as u64).unwrap_or_default();
        self.lanes[place].acquire(tenant).await.map_err(|_| {
            let message = "too many are writing to this session at once; try again";
            Error::new(Kind::TooMany, "session_busy", message).with_retry_after(RETRY_AFTER)
        })
    }
}
