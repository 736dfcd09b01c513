//! Deletes old calls: first bodies, later rows; and old tool calls.
//!
//! The numbers of a call stay in its row when its bodies are deleted, and in the sums of `usage` when the row is
//! deleted; only the sums by end user and by tag are deleted with it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_identity::tenants;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Result, Scope, first_id_at};
use loam_platform::records::{Policy, PolicyTarget};
use sea_orm::{ColumnTrait, Condition};
use serde_json::Value;
use uuid::Uuid;

use super::entity::{Column, Entity};
use crate::Gateway;
use crate::tool_calls::entity as tools;
use crate::usage::entity as usage;

/// How often the scan restarts from the beginning, for calls that were imported with old times.
const RESCAN_INTERVAL: TimeDelta = TimeDelta::days(1);

/// Deletes calls, their bodies and tool calls that have exceeded their retention.
pub struct DeleteOldCalls {
    gateway: Gateway,
    progress: Mutex<Progress>,
}

/// The call up to which bodies were deleted: earlier ones are not scanned every hour.
#[derive(Default)]
struct Progress {
    since: DateTime<Utc>,
    last: HashMap<PolicyTarget, Uuid>,
}

/// What a run deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Calls whose bodies were deleted.
    pub bodies: u64,
    /// Calls.
    pub calls: u64,
    /// Tool calls.
    pub tool_calls: u64,
}

impl DeleteOldCalls {
    /// The job kind.
    pub const KIND: &'static str = "llm_calls.delete_old";
    /// How often it runs.
    pub const EVERY: Duration = Duration::from_hours(1);

    /// A handler that follows the live configuration.
    pub fn new(gateway: Gateway) -> Self {
        Self { gateway, progress: Mutex::default() }
    }

    /// Deletes old data, until it is stopped.
    pub async fn sweep(&self, scope: &Scope, stopped: impl Fn() -> bool + Sync) -> Result<Deleted> {
        let (db, now) = (&self.gateway.0.db, self.gateway.0.clock.now());
        let bound = |days: Option<u32>| days.map(|days| first_id_at(now - TimeDelta::days(i64::from(days))));
        let retention = self.gateway.0.retention();
        let mut deleted = Deleted::default();
        for tenant in tenants::ids(&db.system_read(scope).await?).await? {
            let settings = retention.of(tenant);
            for Policy { whose, days } in
                settings.policies_of(tenant, |s| s.llm_calls_days, |p| p.llm_calls_days)
            {
                let Some(old) = bound(days) else { continue };
                let is_old =
                    whose.condition(Column::TenantId, Some(Column::ProjectId)).add(Column::Id.lt(old));
                deleted.calls += db.delete_old::<Entity, Uuid>(scope, is_old, Column::Id, &stopped).await?;
                self.labels(scope, whose, days, now, &stopped).await?;
            }
            let bodies = settings.policies_of(tenant, |s| s.llm_call_bodies_days, |p| p.llm_call_bodies_days);
            for Policy { whose, days } in bodies {
                let Some(old) = bound(days) else { continue };
                deleted.bodies += self.bodies(scope, whose, old, now, &stopped).await?;
            }
            if let Some(old) = bound(settings.tool_calls_days) {
                let is_old =
                    Condition::all().add(tools::Column::TenantId.eq(tenant)).add(tools::Column::Id.lt(old));
                let by = tools::Column::Id;
                deleted.tool_calls +=
                    db.delete_old::<tools::Entity, Uuid>(scope, is_old, by, &stopped).await?;
            }
        }
        Ok(deleted)
    }

    /// Deletes the sums by end user and by tag: a name is kept no longer than the calls.
    async fn labels(
        &self,
        scope: &Scope,
        whose: PolicyTarget,
        days: Option<u32>,
        now: DateTime<Utc>,
        stopped: &(impl Fn() -> bool + Sync),
    ) -> Result<u64> {
        let Some(days) = days else { return Ok(0) };
        let is_old = whose
            .condition(usage::Column::TenantId, Some(usage::Column::ProjectId))
            .add(usage::Column::LabelKind.is_not_null())
            .add(usage::Column::Bucket.lt(now - TimeDelta::days(i64::from(days) + 1)));
        let db = &self.gateway.0.db;
        db.delete_old::<usage::Entity, DateTime<Utc>>(scope, is_old, usage::Column::Bucket, stopped).await
    }

    async fn bodies(
        &self,
        scope: &Scope,
        whose: PolicyTarget,
        old: Uuid,
        now: DateTime<Utc>,
        stopped: &(impl Fn() -> bool + Sync),
    ) -> Result<u64> {
        let after = self.progress(|progress| {
            if now - progress.since > RESCAN_INTERVAL {
                *progress = Progress { since: now, last: HashMap::new() };
            }
            progress.last.get(&whose).copied()
        });
        let has_body =
            Condition::any().add(Column::RequestData.is_not_null()).add(Column::ResponseData.is_not_null());
        let is_old =
            whose.condition(Column::TenantId, Some(Column::ProjectId)).add(Column::Id.lt(old)).add(has_body);
        let set = [
            (Column::RequestData, sea_orm::Value::Bytes(None)),
            (Column::ResponseData, sea_orm::Value::Bytes(None)),
            (Column::BodiesDeletedAt, now.into()),
            (Column::UpdatedAt, now.into()),
        ];
        let db = &self.gateway.0.db;
        let (cleared, last) =
            db.clear_old::<Entity, Uuid>(scope, is_old, Column::Id, after, &set, stopped).await?;
        if let Some(last) = last {
            self.progress(|progress| _ = progress.last.insert(whose, last));
        }
        Ok(cleared)
    }

    fn progress<R>(&self, with: impl FnOnce(&mut Progress) -> R) -> R {
        with(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Handler for DeleteOldCalls {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let deleted = self.sweep(&job.scope(), || job.is_cancelled()).await?;
        if deleted != Deleted::default() {
            tracing::info!(
                llm_calls.bodies_deleted = deleted.bodies,
                llm_calls.deleted = deleted.calls,
                tool_calls.deleted = deleted.tool_calls,
                "old calls deleted"
            );
        }
        Ok(())
    }
}
