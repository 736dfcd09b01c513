//! The places that an erasure goes through, and what it waits for.

use std::sync::Arc;
use std::time::Duration;

use loam_journal::{Journal, Position};
use loam_kernel::{Error, Result};
use loam_platform::personal::Store;
use tokio::sync::watch;

/// How long an erasure waits for the journal before its job is tried again later.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every place that may have something of a person, in the order in which they are gone through, and every table that has
/// rows of tenants.
#[derive(Clone, Default)]
pub struct Places {
    /// What is known of persons. A place that others are found by comes after them.
    pub stores: Vec<Arc<dyn Store>>,
    /// Every table with rows of tenants, for erasing a whole one.
    pub tables: Vec<String>,
}

/// The journal of a server, and how far it has come into the database.
#[derive(Clone)]
pub struct Draining {
    /// The journal.
    pub journal: Journal,
    /// How far it is drained.
    pub drained: watch::Receiver<Position>,
}

impl Draining {
    /// Waits until everything that stands in the journal now is in the database.
    pub(super) async fn caught_up(&self) -> Result<()> {
        let (end, mut drained) = (self.journal.end(), self.drained.clone());
        let behind = drained.wait_for(|position| *position >= end);
        match tokio::time::timeout(PATIENCE, behind).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                let message = "the journal is not drained yet; the erasure goes on when it is";
                Err(Error::unavailable("journal_not_drained", message, PATIENCE))
            }
        }
    }
}
