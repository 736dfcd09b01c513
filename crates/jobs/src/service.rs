//! Who may see and steer which jobs.

use std::sync::Arc;

use async_trait::async_trait;
use loam_db::{Db, System, Tenant, Tx};
use loam_http::surface::next_version;
use loam_kernel::{Clock, Error, JobId, Kind, Page, PageQuery, Result, Scope, TenantId};
use sea_orm::Set;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::entity::{ActiveModel, Model};
use crate::queries;
use crate::state::JobState;

/// A change that somebody makes to a job, for the audit trail.
#[derive(Clone, Debug)]
pub struct JobChange<'a> {
    /// `retry` or `cancel`.
    pub action: &'static str,
    /// The job.
    pub id: JobId,
    /// Its kind.
    pub kind: &'a str,
    /// Where it stood.
    pub before: JobState,
    /// Where it stands now.
    pub after: JobState,
}

/// Where changes are recorded. The audit trail lives a floor above, which implements this.
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// Records the change of a tenant's job in the transaction of the change.
    async fn record(&self, tx: &Tx<Tenant>, change: &JobChange<'_>) -> Result<()>;

    /// Records the change of one of the instance's jobs. The transaction's tenant is the operator's own, in whose trail
    /// the record belongs.
    async fn record_instance(&self, tx: &Tx<System>, change: &JobChange<'_>) -> Result<()>;
}

/// Which jobs a list holds.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobFilter {
    /// Only those that stand here.
    pub state: Option<JobState>,
    /// Only those of this kind.
    pub kind: Option<String>,
}

/// Whose jobs are meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Whose {
    /// True for the instance's own jobs instead of the tenant's: for operators, who hold `tenants:read` (to change one,
    /// `tenants:write`) in the default tenant.
    #[serde(default)]
    pub instance: bool,
}

/// The jobs, as seen from outside. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    db: Db,
    clock: Clock,
    changes: Arc<dyn ChangeLog>,
    operators: TenantId,
}

impl Jobs {
    /// `operators` is the default tenant, whose operators see the instance's own jobs.
    pub fn new(db: Db, clock: Clock, changes: Arc<dyn ChangeLog>, operators: TenantId) -> Self {
        Self { db, clock, changes, operators }
    }

    /// One page, newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        whose: Whose,
        filter: &JobFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let (state, kind) = (filter.state, filter.kind.as_deref());
        if whose.instance {
            let tx = self.db.system_read(&self.instance(scope, "tenants:read")?).await?;
            queries::list(&tx, state, kind, page).await
        } else {
            queries::list(&self.db.read(scope).await?, state, kind, page).await
        }
    }

    /// One job.
    pub async fn get(&self, scope: &Scope, whose: Whose, id: JobId) -> Result<Model> {
        let row = if whose.instance {
            let tx = self.db.system_read(&self.instance(scope, "tenants:read")?).await?;
            queries::get(&tx, id).await?
        } else {
            queries::get(&self.db.read(scope).await?, id).await?
        };
        row.ok_or_else(no_job)
    }

    /// Puts a job that failed or was cancelled back into the queue, with all its attempts before it.
    pub async fn retry(&self, scope: &Scope, whose: Whose, id: JobId) -> Result<Model> {
        self.change(scope, whose, id, "retry", |row| {
            if !matches!(row.state, JobState::Failed | JobState::Cancelled) {
                return Err(conflict("only a job that failed or was cancelled can be retried", row));
            }
            // a cancelled job keeps its lease until its run has stopped
            let now = self.clock.now();
            if row.lease_until.is_some_and(|until| until > now) {
                let message = "its last run is still being stopped; try again in half a minute";
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

    /// Calls a job off. One in the queue never runs; the run of one that has begun is told at its next heartbeat.
    pub async fn cancel(&self, scope: &Scope, whose: Whose, id: JobId) -> Result<Model> {
        self.change(scope, whose, id, "cancel", |row| {
            if !matches!(row.state, JobState::Queued | JobState::Running) {
                return Err(conflict("only a job that is queued or running can be cancelled", row));
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
        whose: Whose,
        id: JobId,
        action: &'static str,
        rule: impl Fn(&Model) -> Result<ActiveModel> + Send,
    ) -> Result<Model> {
        let planned = |row: &Model| {
            let updated_at = Set(next_version(row.updated_at, self.clock.now()));
            Ok::<_, Error>(ActiveModel { updated_at, ..rule(row)? })
        };
        if whose.instance {
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

    /// The scope of the instance's own rows, for an operator alone.
    fn instance(&self, scope: &Scope, permission: &str) -> Result<Scope> {
        if scope.tenant() != self.operators || !scope.is_operator() {
            let message =
                "only operators of the default tenant reach the instance's own jobs; leave `instance` out";
            return Err(Error::new(Kind::Forbidden, "not_an_operator", message).with_param("instance"));
        }
        scope.require(permission)?;
        Ok(scope.in_tenant(TenantId::NIL))
    }
}

fn describe<'a>(action: &'static str, before: &'a Model, after: &Model) -> JobChange<'a> {
    JobChange { action, id: before.id, kind: &before.kind, before: before.state, after: after.state }
}

/// A change of this row that changes nothing yet.
fn key(row: &Model) -> ActiveModel {
    ActiveModel { id: Set(row.id), ..Default::default() }
}

fn no_job() -> Error {
    Error::not_found("job")
}

fn conflict(rule: &str, row: &Model) -> Error {
    let state = format!("{:?}", row.state).to_lowercase();
    Error::new(Kind::Conflict, "wrong_state", format!("{rule}; this one is {state}"))
}
