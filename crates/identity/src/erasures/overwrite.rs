//! Making what was deleted unreadable in the files of the database and the journal.

use std::time::Duration;

use loam_kernel::{Error, Result};
use loam_platform::deleted::overwrite_deleted;
use serde_json::Value;

use crate::Identity;

/// How long an erasure waits until drained frames are overwritten before its job is tried again later.
const PATIENCE: Duration = Duration::from_secs(30);

impl Identity {
    /// Overwrites deleted rows and drained frames; says what was done and what is beyond Loam's reach.
    pub(super) async fn overwrite(&self) -> Result<Value> {
        let journal = self.draining.get().map(|draining| &draining.journal);
        let done = overwrite_deleted(&self.db, journal, &[], PATIENCE).await?;
        if done.journal.as_ref().is_some_and(|journal| !journal.complete) {
            let message = "the journal is not overwritten yet; the erasure goes on when it is";
            return Err(Error::unavailable("journal_not_overwritten", message, PATIENCE));
        }
        if !done.database.complete {
            tracing::warn!("not everything that was deleted could be overwritten; the receipt says what");
        }
        serde_json::to_value(done).map_err(Error::internal)
    }
}
