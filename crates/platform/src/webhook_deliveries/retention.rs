//! Forgetting deliveries that ended long ago.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use sea_orm::{ColumnTrait, Condition};
use serde_json::Value;

use super::WebhookDeliveries;
use super::entity::{Column, DeliveryState, Entity};

/// Deletes what was delivered or given up longer ago than is kept.
pub(super) struct Retention(pub(super) WebhookDeliveries);

impl Retention {
    pub(super) const KIND: &'static str = "webhook_deliveries.delete_old";
}

#[async_trait]
impl Handler for Retention {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let inner = &self.0.0;
        let before = inner.clock.now() - TimeDelta::days(inner.settings.get().keep_days.into());
        let old =
            Condition::all().add(Column::State.ne(DeliveryState::Pending)).add(Column::UpdatedAt.lt(before));
        let stopped = || job.is_cancelled();
        inner.db.delete_old::<Entity, DateTime<Utc>>(&job.scope(), old, Column::UpdatedAt, stopped).await?;
        Ok(())
    }
}
