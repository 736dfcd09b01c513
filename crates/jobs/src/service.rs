//! Access to jobs: listing, retrying and cancelling.

use std::sync::Arc;

use async_trait::async_trait;
use loam_db::{Db, System, Tenant, Tx};
use loam_kernel::{Clock, Error, JobId, Kind, Page, PageQuery, Result, Scope, TenantId, next_version};
use sea_orm::Set;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::entity::{ActiveModel, Model};
use crate::queries;
use crate::state::JobState;

/// A change of a job, for the audit trail.
#[derive(Clone, Debug)]
pub struct JobChange<'a> {
    /// `retry` or `cancel`.
    pub action: &'static str,
    /// ID of the job.
    pub id: JobId,
    /// Its kind.
    pub kind: &'a str,
    /// State before the change.
    pub before: JobState,
    /// State after the change.
    pub after: JobState,
}

/// Records changes. Implemented by the audit trail in a higher layer.
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// Records the change of a tenant's job in the transaction of the change.
    async fn record(&self, tx: &Tx<Tenant>, change: &JobChange<'_>) -> Result<()>;

    /// Records the change of a job of the instance. The transaction's tenant is the operator's, whose audit
    /// trail gets the record.
    async fn record_instance(&self, tx: &Tx<System>, change: &JobChange<'_>) -> Result<()>;
}

/// Filter for jobs.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobFilter {
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
}

/// Selects the tenant's jobs or those of the instance.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InstanceQuery {
    /// Whether to use the jobs of the instance instead of the tenant's. Only for operators with
    /// `tenants:read` (for changes, `tenants:write`) in the default tenant. Defaults to false.
    #[serde(default)]
    pub instance: bool,
}

/// Lists and controls jobs. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    db: Db,
    clock: Clock,
    changes: Arc<dyn ChangeLog>,
    operators: TenantId,
}

impl Jobs {
    /// `operators` is the default tenant, whose operators may access the jobs of the instance.
    pub fn new(db: Db, clock: Clock, changes: Arc<dyn ChangeLog>, operators: TenantId) -> Self {
        Self { db, clock, changes, operators }
    }

    /// One page, newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        target: InstanceQuery,
        filter: &JobFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let (state, kind) = (filter.state, filter.kind.as_deref());
        if target.instance {
            let tx = self.db.system_read(&self.instance(scope, "tenants:read")?).await?;
            queries::list(&tx, state, kind, page).await
        } else {
            queries::list(&self.db.read(scope).await?, state, kind, page).await
        }
    }

    /// A job.
    pub async fn get(&self, scope: &Scope, target: InstanceQuery, id: JobId) -> Result<Model> {
        let row = if target.instance {
            let tx = self.db.system_read(&self.instance(scope, "tenants:read")?).await?;
            queries::get(&tx, id).await?
        } else {
            queries::get(&self.db.read(scope).await?, id).await?
        };
        row.ok_or_else(no_job)
    }

    /// Returns a failed or cancelled job to the queue and resets its attempts.
    pub async fn retry(&self, scope: &Scope, target: InstanceQuery, id: JobId) -> Result<Model> {
        self.change(scope, target, id, "retry", |row| {
            if !matches!(row.state, JobState::Failed | JobState::Cancelled) {
                return Err(conflict("only a failed or cancelled job can be retried", row));
            }
            // A cancelled job keeps its lease until its run has stopped.
            let now = self.clock.now();
            if row.lease_until.is_some_and(|until| until > now) {
                let message = "its last run is still stopping; try again in 30 seconds";
                return Err(Error::new(Kind::Conflict, "job_stopping", message));
            }
            Ok(ActiveModel {
                state: Set(JobState::Queued),
                attempts: Set(0),
                run_at: Set(now),
                finished_at: Set(None),
                lease_until: Set(None),
                lease_owner: Set(None),
                ..key(row)
            })
        })
        .await
    }

    /// Cancels a job. A queued job never runs; a running one is signalled at its next heartbeat.
    pub async fn cancel(&self, scope: &Scope, target: InstanceQuery, id: JobId) -> Result<Model> {
        self.change(scope, target, id, "cancel", |row| {
            if !matches!(row.state, JobState::Queued | JobState::Running) {
                return Err(conflict("only a queued or running job can be cancelled", row));
            }
            Ok(ActiveModel {
                state: Set(JobState::Cancelled),
                finished_at: Set(Some(self.clock.now())),
                ..key(row)
            })
        })
        .await
    }

    async fn change(
        &self,
        scope: &Scope,
        target: InstanceQuery,
        id: JobId,
        action: &'static str,
        rule: impl Fn(&Model) -> Result<ActiveModel> + Send,
    ) -> Result<Model> {
        let planned = |row: &Model| {
            let updated_at = Set(next_version(row.updated_at, self.clock.now()));
            Ok::<_, Error>(ActiveModel { updated_at, ..rule(row)? })
        };
        if target.instance {
            self.instance(scope, "tenants:write")?;
            let tx = self.db.system_write(scope).await?;
            let before = queries::lock_instance(&tx, id).await?.ok_or_else(no_job)?;
            let after = queries::update_instance(&tx, planned(&before)?).await?;
            self.changes.record_instance(&tx, &describe(action, &before, &after)).await?;
            tx.commit().await?;
            Ok(after)
        } else {
            let tx = self.db.write(scope).await?;
            let before = queries::lock(&tx, id).await?.ok_or_else(no_job)?;
            let after = queries::update(&tx, planned(&before)?).await?;
            self.changes.record(&tx, &describe(action, &before, &after)).await?;
            tx.commit().await?;
            Ok(after)
        }
    }

    /// The scope of the instance's rows, for operators only.
    fn instance(&self, scope: &Scope, permission: &str) -> Result<Scope> {
        if scope.tenant() != self.operators || !scope.is_operator() {
            let message =
                "only operators of the default tenant can access the jobs of the instance; omit `instance`";
            return Err(Error::new(Kind::Forbidden, "not_an_operator", message).with_param("instance"));
        }
        scope.require(permission)?;
        Ok(scope.in_tenant(TenantId::NIL))
    }
}

fn describe<'a>(action: &'static str, before: &'a Model, after: &Model) -> JobChange<'a> {
    JobChange { action, id: before.id, kind: &before.kind, before: before.state, after: after.state }
}

/// An update of this row without changes.
fn key(row: &Model) -> ActiveModel {
    ActiveModel { id: Set(row.id), ..Default::default() }
}

fn no_job() -> Error {
    Error::not_found("job")
}

fn conflict(rule: &str, row: &Model) -> Error {
    let state = format!("{:?}", row.state).to_lowercase();
    Error::new(Kind::Conflict, "wrong_state", format!("{rule}; this job is {state}"))
}
