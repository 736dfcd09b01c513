//! Deletes jobs that ended long ago.

use std::time::Duration;

use async_trait::async_trait;
use loam_db::Db;
use loam_kernel::{Clock, Result};
use serde_json::Value;

use crate::handler::{Handler, JobContext};
use crate::queries;

/// How long a finished job is kept.
pub const KEEP_FINISHED: Duration = Duration::from_secs(14 * 86_400);

/// Interval of deletions.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3600);

pub(crate) const KIND: &str = "jobs.delete_finished";

/// Rows per transaction: small enough that it does not block others for long.
const BATCH: u64 = 500;

/// Deletes jobs that ended longer than [`KEEP_FINISHED`] ago.
pub(crate) struct DeleteFinished {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
}

#[async_trait]
impl Handler for DeleteFinished {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let before = self.clock.now() - KEEP_FINISHED;
        let mut deleted = 0;
        while !job.is_cancelled() {
            let tx = self.db.system_write(&job.scope()).await?;
            let batch = queries::delete_finished(&tx, before, BATCH).await?;
            tx.commit().await?;
            deleted += batch;
            if batch < BATCH {
                break;
            }
        }
        if deleted > 0 {
            tracing::info!(jobs.deleted = deleted, "deleted finished jobs");
        }
        Ok(())
    }
}
