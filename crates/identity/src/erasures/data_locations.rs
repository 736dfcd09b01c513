//! The locations that an erasure processes, and what it waits for.

use std::sync::Arc;
use std::time::Duration;

use loam_journal::{Journal, Position};
use loam_kernel::{Error, Result};
use loam_platform::personal::PersonalDataStore;
use tokio::sync::watch;

/// How long an erasure waits for the journal, before its job is retried.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Every location that may store personal data, in processing order, and every table with rows of tenants.
#[derive(Clone, Default)]
pub struct DataLocations {
    /// Locations of personal data. One whose rows lead to others comes after those.
    pub stores: Vec<Arc<dyn PersonalDataStore>>,
    /// Every table with rows of tenants, for erasing a whole one.
    pub tables: Vec<String>,
}

/// The journal of a server, and its checkpoint in the database.
#[derive(Clone)]
pub struct DrainProgress {
    /// The journal.
    pub journal: Journal,
    /// The position up to which it is drained.
    pub drained: watch::Receiver<Position>,
}

impl DrainProgress {
    /// Waits until everything that is in the journal now is in the database.
    pub(super) async fn wait_until_drained(&self) -> Result<()> {
        let (end, mut drained) = (self.journal.end(), self.drained.clone());
        let behind = drained.wait_for(|position| *position >= end);
        match tokio::time::timeout(TIMEOUT, behind).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                let message = "the journal is not drained yet; the erasure continues when it is";
                Err(Error::unavailable("journal_not_drained", message, TIMEOUT))
            }
        }
    }
}
