//! The locations that an erasure processes, and what it waits for.

use std::sync::Arc;
use std::time::Duration;

use loam_journal::{Journal, Position};
use loam_kernel::{Error, Result};
use loam_platform::personal::PersonalDataStore;
use tokio::sync::watch;

/// How long an erasure waits for the journal, before its job is retried.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Every location that may store personal data, in processing order, and every table with a `tenant_id`.
#[derive(Clone, Default)]
pub struct DataLocations {
    /// Locations of personal data. A location through which rows of others are found comes after them.
    pub stores: Vec<Arc<dyn PersonalDataStore>>,
    /// Every table with a `tenant_id`, for erasing a whole tenant.
    pub tables: Vec<String>,
}

/// The journal of this node, and how far it is in the database.
#[derive(Clone)]
pub struct DrainProgress {
    /// This node's journal.
    pub journal: Journal,
    /// The position up to which it is drained.
    pub drained: watch::Receiver<Position>,
}

impl DrainProgress {
    /// Waits until this node's journal, as of now, is in the database.
    pub(super) async fn wait_until_drained(&self) -> Result<()> {
        let (end, mut drained) = (self.journal.end(), self.drained.clone());
        let reached_end = drained.wait_for(|position| *position >= end);
        match tokio::time::timeout(DRAIN_TIMEOUT, reached_end).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                let message = "the journal is not drained yet; the erasure continues when it is";
                Err(Error::unavailable("journal_not_drained", message, DRAIN_TIMEOUT))
            }
        }
    }
}
