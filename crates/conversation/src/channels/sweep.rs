//! Forgetting ids of messages that came long ago: nobody sends them again.

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::events::{Column, Entity};
use crate::Conversation;

/// Rows a transaction: few enough that nobody waits long for it.
const BATCH: u64 = 500;

/// Deletes what came longer ago than is remembered.
pub(crate) struct ForgetEvents(pub(crate) Conversation);

impl ForgetEvents {
    pub(crate) const KIND: &'static str = "channels.forget_events";
}

#[async_trait]
impl Handler for ForgetEvents {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let inner = &self.0.0;
        let days = inner.channels.limits.get().remember_days;
        let old = Column::CreatedAt.lt(inner.clock.now() - TimeDelta::days(days.into()));
        while !job.is_cancelled() {
            let tx = inner.db.system_write(&job.scope()).await?;
            let oldest = tx.find_any::<Entity>().filter(old.clone()).order_by_asc(Column::CreatedAt);
            let rows = oldest.limit(BATCH).all().await?;
            let Some(last) = rows.last() else { break };
            tx.delete_any::<Entity>().filter(Column::CreatedAt.lte(last.created_at)).exec().await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
