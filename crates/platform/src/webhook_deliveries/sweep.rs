//! Forgetting deliveries that ended long ago.

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::WebhookDeliveries;
use super::entity::{Column, DeliveryState, Entity};

/// Rows a transaction: few enough that nobody waits long for it.
const BATCH: u64 = 500;

/// Deletes what was delivered or given up longer ago than is kept.
pub(super) struct Sweep(pub(super) WebhookDeliveries);

impl Sweep {
    pub(super) const KIND: &'static str = "webhook_deliveries.delete_old";
}

#[async_trait]
impl Handler for Sweep {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let inner = &self.0.0;
        let before = inner.clock.now() - TimeDelta::days(inner.settings.get().keep_days.into());
        let old =
            Condition::all().add(Column::State.ne(DeliveryState::Pending)).add(Column::UpdatedAt.lt(before));
        while !job.is_cancelled() {
            let tx = inner.db.system_write(&job.scope()).await?;
            let oldest = tx.find_any::<Entity>().filter(old.clone()).order_by_asc(Column::UpdatedAt);
            let rows = oldest.limit(BATCH).all().await?;
            let Some(last) = rows.last() else { break };
            let these = Column::UpdatedAt.lte(last.updated_at);
            tx.delete_any::<Entity>().filter(old.clone()).filter(these).exec().await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
