//! What is old is deleted: requests and calls first, sums by minute and by hour much later.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::TenantEntity;
use loam_identity::tenants;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Result, Scope, TenantId, first_id_at};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use crate::stats::{Granularity, endpoints, functions, names};
use crate::{Insight, call_trees, performance_records, record_functions};

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
    pub(super) async fn sweep(&self, scope: &Scope, stopped: impl Fn() -> bool + Sync) -> Result<u64> {
        let (inner, settings) = (&self.0.0, self.0.0.storage.get());
        let before = |days: u32| inner.clock.now() - TimeDelta::days(i64::from(days));
        let old = first_id_at(before(settings.records_days));
        let mut deleted = 0;
        for tenant in self.tenants(scope).await? {
            deleted += self.rows::<performance_records::entity::Entity>(scope, &stopped, tenant, old).await?;
            deleted += self.rows::<record_functions::entity::Entity>(scope, &stopped, tenant, old).await?;
            deleted += self.rows::<call_trees::entity::Entity>(scope, &stopped, tenant, old).await?;
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

    /// Deletes a tenant's rows whose id is below a bound, in batches.
    async fn rows<E: TenantEntity>(
        &self,
        scope: &Scope,
        stopped: &(impl Fn() -> bool + Sync),
        tenant: TenantId,
        below: Uuid,
    ) -> Result<u64> {
        let mut deleted = 0;
        while !stopped() {
            let tx = self.0.0.db.system_write(scope).await?;
            let of_tenant = E::TENANT.eq(tenant);
            let oldest = tx.find_any::<E>().select_only().column_as(E::ID, "id").filter(of_tenant.clone());
            let oldest = oldest.filter(E::ID.lt(below)).order_by_asc(E::ID).limit(BATCH);
            let oldest: Vec<OldRow> = oldest.into().await?;
            let Some(last) = oldest.last() else { break };
            deleted += tx.delete_any::<E>().filter(of_tenant).filter(E::ID.lte(last.id)).exec().await?;
            tx.commit().await?;
        }
        Ok(deleted)
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
