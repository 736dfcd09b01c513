//! What is old is deleted: requests, calls and values first, sums and what was made of them much later.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::TenantEntity;
use loam_identity::tenants;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Result, Scope, TenantId, first_id_at};
use sea_orm::sea_query::IntoCondition;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;
use uuid::Uuid;

use crate::alert_events::entity::EventState;
use crate::stats::{Granularity, endpoints, functions, metrics, names};
use crate::{
    Insight, alert_events, analyses, call_trees, performance_metrics, performance_records, record_functions,
};

/// Rows a transaction: few enough that nobody waits long for it.
const BATCH: u64 = 1000;

/// Deletes what is older than is kept.
pub(crate) struct DeleteOld(pub(crate) Insight);

#[derive(FromQueryResult)]
struct OldRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct OldBucket {
    bucket: DateTime<Utc>,
}

impl DeleteOld {
    /// Its kind.
    pub(crate) const KIND: &'static str = "insight.delete_old";
    /// How often it runs.
    pub(crate) const EVERY: Duration = Duration::from_hours(1);

    /// Deletes what is old, until it is stopped; says how many rows.
    pub(crate) async fn sweep(&self, scope: &Scope, stopped: impl Fn() -> bool + Sync) -> Result<u64> {
        let (inner, settings) = (&self.0.0, self.0.0.storage.get());
        let before = |days: u32| inner.clock.now() - TimeDelta::days(i64::from(days));
        let (old, past) =
            (first_id_at(before(settings.records_days)), first_id_at(before(settings.history_days)));
        let mut deleted = 0;
        for tenant in self.tenants(scope).await? {
            let sweep = Sweep { delete: self, scope, stopped: &stopped, tenant };
            deleted += sweep.all::<performance_records::entity::Entity>(old).await?;
            deleted += sweep.all::<record_functions::entity::Entity>(old).await?;
            deleted += sweep.all::<call_trees::entity::Entity>(old).await?;
            deleted += sweep.all::<performance_metrics::entity::Entity>(old).await?;
            deleted += sweep.all::<analyses::entity::Entity>(past).await?;
            let is_over = alert_events::entity::Column::State.eq(EventState::Resolved);
            deleted += sweep.some::<alert_events::entity::Entity>(past, is_over).await?;
        }
        for (granularity, days) in [
            (Granularity::Minute, settings.minute_stats_days),
            (Granularity::Hour, settings.hour_stats_days),
            (Granularity::Day, settings.day_stats_days),
        ] {
            let old = granularity.bucket(before(days));
            let columns = (endpoints::Column::Granularity, endpoints::Column::Bucket);
            deleted += self.sums::<endpoints::Entity>(scope, &stopped, columns, granularity, old).await?;
            let columns = (functions::Column::Granularity, functions::Column::Bucket);
            deleted += self.sums::<functions::Entity>(scope, &stopped, columns, granularity, old).await?;
            let columns = (metrics::Column::Granularity, metrics::Column::Bucket);
            deleted += self.sums::<metrics::Entity>(scope, &stopped, columns, granularity, old).await?;
        }
        // nothing that is kept can be taken out of their sums any more
        let unseen = names::Column::UpdatedAt.lt(before(settings.records_days + 2));
        let tx = inner.db.system_write(scope).await?;
        tx.delete_any::<names::Entity>().filter(unseen).exec().await?;
        tx.commit().await?;
        Ok(deleted)
    }

    async fn tenants(&self, scope: &Scope) -> Result<Vec<TenantId>> {
        let tx = self.0.0.db.system_read(scope).await?;
        let tenants = tx.find_any::<tenants::entity::Entity>().all().await?;
        Ok(tenants.into_iter().map(|tenant| tenant.id).collect())
    }

    /// Deletes sums of before a bound, a few minutes or hours at a time.
    async fn sums<E: EntityTrait>(
        &self,
        scope: &Scope,
        stopped: &(impl Fn() -> bool + Sync),
        (of, bucket): (E::Column, E::Column),
        granularity: Granularity,
        before: DateTime<Utc>,
    ) -> Result<u64> {
        let mut deleted = 0;
        while !stopped() {
            let tx = self.0.0.db.system_write(scope).await?;
            let old = || of.eq(granularity).and(bucket.lt(before));
            let oldest = tx.find_any::<E>().select_only().column_as(bucket, "bucket").filter(old());
            let oldest: Vec<OldBucket> = oldest.order_by_asc(bucket).limit(1).into().await?;
            let Some(oldest) = oldest.first() else { break };
            let some = bucket.lt(oldest.bucket + granularity.length() * 5);
            deleted += tx.delete_any::<E>().filter(old()).filter(some).exec().await?;
            tx.commit().await?;
        }
        Ok(deleted)
    }
}

/// Deletes rows of a tenant.
struct Sweep<'a, S> {
    delete: &'a DeleteOld,
    scope: &'a Scope,
    stopped: &'a S,
    tenant: TenantId,
}

impl<S: Fn() -> bool + Sync> Sweep<'_, S> {
    /// Deletes rows whose id is below a bound, in batches.
    async fn all<E: TenantEntity>(&self, below: Uuid) -> Result<u64> {
        self.some::<E>(below, Condition::all()).await
    }

    /// Deletes those of them that are like this.
    async fn some<E: TenantEntity>(&self, below: Uuid, like: impl IntoCondition) -> Result<u64> {
        let old = Condition::all().add(E::TENANT.eq(self.tenant)).add(like.into_condition());
        let mut deleted = 0;
        while !(self.stopped)() {
            let tx = self.delete.0.0.db.system_write(self.scope).await?;
            let oldest = tx.find_any::<E>().select_only().column_as(E::ID, "id").filter(old.clone());
            let oldest = oldest.filter(E::ID.lt(below)).order_by_asc(E::ID).limit(BATCH);
            let oldest: Vec<OldRow> = oldest.into().await?;
            let Some(last) = oldest.last() else { break };
            deleted += tx.delete_any::<E>().filter(old.clone()).filter(E::ID.lte(last.id)).exec().await?;
            tx.commit().await?;
        }
        Ok(deleted)
    }
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
