//! Deletes the event streams of turns that ended long ago. Their messages are kept.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_db::Db;
use loam_gateway::Gateway;
use loam_identity::tenants;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Clock, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, Condition};
use serde_json::Value;
use uuid::Uuid;

use super::entity::{Column, Entity};

/// Deletes streams older than the retention period.
pub(crate) struct DeleteOldEvents {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    /// Knows the retention period.
    pub(crate) gateway: Gateway,
}

impl DeleteOldEvents {
    /// The kind of the job.
    pub(crate) const KIND: &'static str = "turns.delete_old_events";
    /// Interval between runs.
    pub(crate) const EVERY: Duration = Duration::from_hours(1);

    /// Deletes old streams until stopped. Returns the number of turns.
    pub(crate) async fn delete_old(&self, scope: &Scope, stopped: impl Fn() -> bool + Sync) -> Result<u64> {
        let now = self.clock.now();
        let tenants = tenants::ids(&self.db.system_read(scope).await?).await?;
        let mut cleared = 0;
        for tenant in tenants {
            let Some(days) = self.gateway.retention().of(tenant).turn_events_days else { continue };
            let before = now - TimeDelta::days(i64::from(days));
            // A turn starts before it ends, so its id bounds the rows to read.
            let old = Condition::all()
                .add(Column::TenantId.eq(tenant))
                .add(Column::Id.lt(first_id_at(before)))
                .add(Column::EndedAt.lt(before))
                .add(Column::Events.is_not_null());
            let set = [
                (Column::Events, sea_orm::Value::Bytes(None)),
                (Column::EventsDeletedAt, now.into()),
                (Column::UpdatedAt, now.into()),
            ];
            cleared +=
                self.db.clear_old::<Entity, Uuid>(scope, old, Column::Id, None, &set, &stopped).await?.0;
        }
        Ok(cleared)
    }
}

#[async_trait]
impl Handler for DeleteOldEvents {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let turns = self.delete_old(&job.scope(), || job.is_cancelled()).await?;
        if turns > 0 {
            tracing::info!(turns, "deleted the streams of old turns");
        }
        Ok(())
    }
}
