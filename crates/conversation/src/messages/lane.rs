//! Who adds to the same session goes one behind the other.
//!
//! The session's row orders them anyway. But whoever waits for a row in the database holds a connection meanwhile: some
//! dozen writers of one session would take all there are, from everybody.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use loam_kernel::{ChatSessionId, Error, Kind, Result};
use tokio::sync::{Mutex, MutexGuard};

/// Sessions share so many lanes.
const LANES: usize = 256;
/// How long somebody waits for those before: as long as for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The lanes of this process.
pub(crate) struct Lanes {
    lanes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        Self { lanes: (0..LANES).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// Waits until nobody else of this process adds to the session; others come in when what is given is dropped.
    pub(crate) async fn enter(&self, session: ChatSessionId) -> Result<MutexGuard<'_, ()>> {
        let place = usize::try_from(self.hasher.hash_one(session) % LANES as u64).unwrap_or_default();
        tokio::time::timeout(PATIENCE, self.lanes[place].lock()).await.map_err(|_| {
            let message = "too many are writing to this session at once; try again";
            Error::new(Kind::TooMany, "session_busy", message).with_retry_after(RETRY_AFTER)
        })
    }
}
