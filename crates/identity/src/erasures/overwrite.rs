//! Making what was deleted unreadable in the files of the database and the journal.

use std::time::Duration;

use loam_kernel::{Error, Result};
use serde_json::{Value, json};

use crate::Identity;

/// How long an erasure waits until drained frames are overwritten before its job is tried again later.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

impl Identity {
    /// Overwrites deleted rows and drained frames; says what was done and what is beyond Loam's reach.
    pub(super) async fn overwrite(&self) -> Result<Value> {
        let database = self.db.overwrite_deleted(&[]).await?;
        if !database.complete {
            tracing::warn!("not everything that was deleted could be overwritten; the receipt says what");
        }
        let journal = match self.draining.get() {
            Some(draining) => {
                draining.caught_up().await?;
                let wanted = draining.journal.overwrite_drained();
                let began = tokio::time::Instant::now();
                while draining.journal.overwritten() < wanted {
                    if began.elapsed() > PATIENCE {
                        let message = "the journal is not overwritten yet; the erasure goes on when it is";
                        return Err(Error::unavailable("journal_not_overwritten", message, PATIENCE));
                    }
                    tokio::time::sleep(LOOK).await;
                }
                "overwritten"
            }
            None => "none",
        };
        let database = serde_json::to_value(database).map_err(Error::internal)?;
        Ok(json!({ "database": database, "journal": journal }))
    }
}
