//! Forgetting jobs that ended long ago.

use std::time::Duration;

use async_trait::async_trait;
use loam_db::Db;
use loam_kernel::{Clock, Result};
use serde_json::Value;

use crate::handler::{Handler, JobContext};
use crate::queries;

/// How long a finished job can be looked at.
pub const KEEP_FINISHED: Duration = Duration::from_secs(14 * 86_400);

/// How often old ones are looked for.
pub(crate) const EVERY: Duration = Duration::from_secs(3600);

pub(crate) const KIND: &str = "jobs.delete_finished";

/// Rows a transaction: few enough that nobody waits long for it.
const BATCH: u64 = 500;

/// Deletes what ended longer than [`KEEP_FINISHED`] ago.
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
            tracing::info!(jobs.deleted = deleted, "finished jobs deleted");
        }
        Ok(())
    }
}
