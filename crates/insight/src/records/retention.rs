//! Retention: deletes old requests, calls and metric values first, statistics and analyses much later.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::TenantEntity;
use loam_identity::tenants;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Result, Scope, TenantId, first_id_at};
use sea_orm::{ColumnTrait, Condition, ExprTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use crate::alert_events::entity::{Column, Entity, EventState};
use crate::stats::Stats;
use crate::stats::{Bucketed, Granularity, endpoints, functions, metrics, names};
use crate::{analyses, call_trees, performance_metrics, performance_records, record_functions};

/// The job that deletes rows past their retention.
pub(crate) struct DeleteOld(pub(crate) Stats);

impl DeleteOld {
    /// The job kind.
    pub(crate) const KIND: &'static str = "insight.delete_old";
    /// The interval of the job.
    pub(crate) const EVERY: Duration = Duration::from_hours(1);

    /// Deletes old rows until it is stopped. Returns their number.
    pub(crate) async fn sweep(&self, scope: &Scope, stopped: impl Fn() -> bool + Sync) -> Result<u64> {
        let (inner, settings) = (&self.0.0, self.0.0.storage.get());
        let before = |days: u32| inner.clock.now() - TimeDelta::days(i64::from(days));
        let (old, past) =
            (first_id_at(before(settings.records_days)), first_id_at(before(settings.history_days)));
        let mut deleted = 0;
        for tenant in tenants::ids(&inner.db.system_read(scope).await?).await? {
            deleted += self.rows::<performance_records::entity::Entity>(scope, &stopped, tenant, old).await?;
            deleted += self.rows::<record_functions::entity::Entity>(scope, &stopped, tenant, old).await?;
            deleted += self.rows::<call_trees::entity::Entity>(scope, &stopped, tenant, old).await?;
            deleted += self.rows::<performance_metrics::entity::Entity>(scope, &stopped, tenant, old).await?;
            deleted += self.rows::<analyses::entity::Entity>(scope, &stopped, tenant, past).await?;
            let is_over = Column::State.eq(EventState::Resolved);
            let events = of::<Entity>(tenant, past).add(is_over);
            deleted += inner.db.delete_old::<Entity, Uuid>(scope, events, Column::Id, &stopped).await?;
        }
        for (granularity, days) in [
            (Granularity::Minute, settings.minute_stats_days),
            (Granularity::Hour, settings.hour_stats_days),
            (Granularity::Day, settings.day_stats_days),
        ] {
            let old = granularity.bucket(before(days));
            deleted += self.sums::<endpoints::Entity>(scope, &stopped, granularity, old).await?;
            deleted += self.sums::<functions::Entity>(scope, &stopped, granularity, old).await?;
            deleted += self.sums::<metrics::Entity>(scope, &stopped, granularity, old).await?;
        }
        // no stored trace with these names can change the sums any more
        let unseen = names::Column::UpdatedAt.lt(before(settings.records_days + 2));
        let tx = inner.db.system_write(scope).await?;
        tx.delete_any::<names::Entity>().filter(unseen).exec().await?;
        tx.commit().await?;
        Ok(deleted)
    }

    /// Deletes a tenant's rows with ids below a bound.
    async fn rows<E: TenantEntity>(
        &self,
        scope: &Scope,
        stopped: &(impl Fn() -> bool + Sync),
        tenant: TenantId,
        below: Uuid,
    ) -> Result<u64> {
        self.0.0.db.delete_old::<E, Uuid>(scope, of::<E>(tenant, below), E::ID, stopped).await
    }

    /// Deletes all tenants' statistics from before a bound.
    async fn sums<E: Bucketed>(
        &self,
        scope: &Scope,
        stopped: &(impl Fn() -> bool + Sync),
        granularity: Granularity,
        before: DateTime<Utc>,
    ) -> Result<u64> {
        let old = E::GRANULARITY.eq(granularity).and(E::BUCKET.lt(before));
        self.0.0.db.delete_old::<E, DateTime<Utc>>(scope, old, E::BUCKET, stopped).await
    }
}

/// A tenant's rows with ids below a bound.
fn of<E: TenantEntity>(tenant: TenantId, below: Uuid) -> Condition {
    Condition::all().add(E::TENANT.eq(tenant)).add(E::ID.lt(below))
}

#[async_trait]
impl Handler for DeleteOld {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let rows = self.sweep(&job.scope(), || job.is_cancelled()).await?;
        if rows > 0 {
            tracing::info!(rows, "old performance records and sums deleted");
        }
        Ok(())
    }
}
