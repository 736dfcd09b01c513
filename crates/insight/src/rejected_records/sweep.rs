//! Forgetting what was refused long ago.

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::entity::{Column, Entity};
use crate::service::Insight;

/// Rows a transaction: few enough that nobody waits long for it.
const BATCH: u64 = 500;

/// Deletes refused records that are older than is kept.
pub(crate) struct Sweep(pub(crate) Insight);

impl Sweep {
    pub(crate) const KIND: &'static str = "rejected_records.delete_old";
}

#[async_trait]
impl Handler for Sweep {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let inner = &self.0.0;
        let before = inner.clock.now() - TimeDelta::days(inner.ingest.get().rejected_days.into());
        while !job.is_cancelled() {
            let tx = inner.db.system_write(&job.scope()).await?;
            let old = tx.find_any::<Entity>().filter(Column::CreatedAt.lt(before));
            let rows = old.order_by_asc(Column::CreatedAt).limit(BATCH).all().await?;
            let Some(last) = rows.last() else { break };
            tx.delete_any::<Entity>().filter(Column::CreatedAt.lte(last.created_at)).exec().await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
