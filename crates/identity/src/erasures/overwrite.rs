//! Making what was deleted unreadable in the files of the database and the journal.

use std::time::Duration;

use loam_kernel::{Error, Result};
use loam_platform::deleted::overwrite_deleted;
use serde_json::Value;

use crate::Identity;

/// How long an erasure waits until drained frames are overwritten, before its job is retried.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Identity {
    /// Overwrites deleted rows and drained frames; reports what was done and what Loam can't reach.
    pub(super) async fn overwrite(&self) -> Result<Value> {
        let journal = self.drain_progress.get().map(|drain_progress| &drain_progress.journal);
        let done = overwrite_deleted(&self.db, journal, &[], TIMEOUT).await?;
        if done.journal.as_ref().is_some_and(|journal| !journal.complete) {
            let message = "the journal is not overwritten yet; the erasure continues when it is";
            return Err(Error::unavailable("journal_not_overwritten", message, TIMEOUT));
        }
        if !done.database.complete {
            tracing::warn!("not all deleted data could be overwritten; see the receipt");
        }
        serde_json::to_value(done).map_err(Error::internal)
    }
}
