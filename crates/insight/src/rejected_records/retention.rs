//! Retention of rejected records.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use sea_orm::ColumnTrait;
use serde_json::Value;

use super::entity::{Column, Entity};
use crate::ingest::Ingest;

/// The job that deletes rejected records past their retention.
pub(crate) struct DeleteOldRejected(pub(crate) Ingest);

impl DeleteOldRejected {
    pub(crate) const KIND: &'static str = "rejected_records.delete_old";
}

#[async_trait]
impl Handler for DeleteOldRejected {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let inner = &self.0.0;
        let before = inner.clock.now() - TimeDelta::days(inner.settings.get().rejected_days.into());
        let (old, stopped) = (Column::CreatedAt.lt(before), || job.is_cancelled());
        inner.db.delete_old::<Entity, DateTime<Utc>>(&job.scope(), old, Column::CreatedAt, stopped).await?;
        Ok(())
    }
}
