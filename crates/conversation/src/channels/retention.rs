//! Deletes event ids after the time in which platforms redeliver events.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use sea_orm::ColumnTrait;
use serde_json::Value;

use super::events::{Column, Entity};
use crate::channels::Channels;

/// Deletes events older than `remember_days`.
pub(crate) struct DeleteOldChannelEvents(pub(crate) Channels);

impl DeleteOldChannelEvents {
    pub(crate) const KIND: &'static str = "channels.forget_events";
}

#[async_trait]
impl Handler for DeleteOldChannelEvents {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let inner = &self.0.0;
        let days = inner.limits.get().remember_days;
        let old = Column::CreatedAt.lt(inner.clock.now() - TimeDelta::days(days.into()));
        let stopped = || job.is_cancelled();
        inner.db.delete_old::<Entity, DateTime<Utc>>(&job.scope(), old, Column::CreatedAt, stopped).await?;
        Ok(())
    }
}
