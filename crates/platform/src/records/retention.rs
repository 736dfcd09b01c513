//! Records are deleted when they are old: nothing grows without bound.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::Db;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Clock, Result};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bound;
use crate::system_config::{ConfigKey, Live};
use crate::{api_logs, error_logs};

/// How long records are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionSettings {
    /// Days that requests stay on record.
    pub api_logs_days: u32,
    /// Days that errors stay on record.
    pub error_logs_days: u32,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self { api_logs_days: 30, error_logs_days: 90 }
    }
}

/// The key of [`RetentionSettings`].
pub const RETENTION: ConfigKey<RetentionSettings> = ConfigKey::new(
    "records.retention",
    "records",
    "how many days requests and errors stay on record",
    || {
        let days = json!({ "type": "integer", "minimum": 1, "maximum": 3650 });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "api_logs_days": days, "error_logs_days": days }
        })
    },
);

/// Rows a transaction: few enough that nobody waits long for it.
const BATCH: u64 = 1000;

/// The job that deletes old records.
pub struct Retention {
    db: Db,
    clock: Clock,
    settings: Live<RetentionSettings>,
}

impl Retention {
    /// Its kind.
    pub const KIND: &'static str = "records.delete_old";
    /// How often it runs.
    pub const EVERY: Duration = Duration::from_hours(1);

    /// A handler that follows the live configuration.
    pub fn new(db: Db, clock: Clock, settings: Live<RetentionSettings>) -> Self {
        Self { db, clock, settings }
    }

    /// Deletes rows whose id is below a bound, in batches; says how many.
    async fn delete<E: EntityTrait>(&self, job: &JobContext, id: E::Column, below: Uuid) -> Result<u64> {
        let mut deleted = 0;
        while !job.is_cancelled() {
            let tx = self.db.system_write(&job.scope()).await?;
            let oldest = tx.find_any::<E>().select_only().column_as(id, "id").filter(id.lt(below));
            let oldest: Vec<OldRow> = oldest.order_by_asc(id).limit(BATCH).into().await?;
            let Some(last) = oldest.last() else { break };
            deleted += tx.delete_any::<E>().filter(id.lte(last.id)).exec().await?;
            tx.commit().await?;
        }
        Ok(deleted)
    }

    async fn delete_groups(&self, job: &JobContext, before: DateTime<Utc>) -> Result<()> {
        let tx = self.db.system_write(&job.scope()).await?;
        let old = error_logs::group::Column::LastSeen.lt(before);
        tx.delete_any::<error_logs::group::Entity>().filter(old).exec().await?;
        tx.commit().await
    }
}

#[derive(FromQueryResult)]
struct OldRow {
    id: Uuid,
}

#[async_trait]
impl Handler for Retention {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let settings = self.settings.get();
        let before = |days: u32| self.clock.now() - TimeDelta::days(i64::from(days));
        let requests = bound(before(settings.api_logs_days));
        let requests =
            self.delete::<api_logs::entity::Entity>(job, api_logs::entity::Column::Id, requests).await?;
        let errors_before = before(settings.error_logs_days);
        let errors = bound(errors_before);
        let errors =
            self.delete::<error_logs::entity::Entity>(job, error_logs::entity::Column::Id, errors).await?;
        self.delete_groups(job, errors_before).await?;
        if requests + errors > 0 {
            tracing::info!(api_logs.deleted = requests, error_logs.deleted = errors, "old records deleted");
        }
        Ok(())
    }
}
