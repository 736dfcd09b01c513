//! All queries on `jobs`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::{System, Tenant, Tx};
use loam_kernel::{JobId, NodeId, Page, PageQuery, Result, TenantId};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Set};

use crate::entity::{ActiveModel, Column, Entity, Model};
use crate::state::JobState;

/// The predicate of the partial index on `run_at`, as literal SQL: PostgreSQL can't match bound values
/// against it.
const OPEN: &str = "state IN ('queued', 'running')";

/// The lease of one run of a job. It includes the attempt, so that a later run on the same node has a
/// different lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) tenant: TenantId,
    pub(crate) id: JobId,
    pub(crate) node: NodeId,
    pub(crate) attempt: i32,
}

/// How a run is recorded.
#[derive(Debug)]
pub(crate) enum RunOutcome {
    Succeeded,
    Failed {
        error: String,
    },
    Retry {
        error: String,
        at: DateTime<Utc>,
    },
    /// The node stops: the job returns to the queue, and the run does not count as an attempt.
    Released,
}

/// The state of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseState {
    Held,
    /// The job was cancelled.
    Cancelled,
    /// The lease has expired, and another run may have started.
    Lost,
}

pub(crate) async fn insert<R>(tx: &Tx<R>, row: ActiveModel) -> Result<bool> {
    tx.insert_if_new(row).await
}

/// The jobs of the transaction's tenant, newest first.
pub(crate) async fn list<R>(
    tx: &Tx<R>,
    state: Option<JobState>,
    kind: Option<&str>,
    page: &PageQuery,
) -> Result<Page<Model>> {
    let filter = Condition::all()
        .add_option(state.map(|s| Column::State.eq(s)))
        .add_option(kind.map(|k| Column::Kind.eq(k)));
    tx.find::<Entity>().filter(filter).page(page, |row| row.id.0).await
}

pub(crate) async fn get<R>(tx: &Tx<R>, id: JobId) -> Result<Option<Model>> {
    tx.get::<Entity>(id).await
}

pub(crate) async fn lock(tx: &Tx<Tenant>, id: JobId) -> Result<Option<Model>> {
    tx.get_locked::<Entity>(id).await
}

/// The same for a job of the instance, in a transaction of the operator's tenant.
pub(crate) async fn lock_instance(tx: &Tx<System>, id: JobId) -> Result<Option<Model>> {
    let filter = Condition::all().add(Column::TenantId.eq(TenantId::NIL)).add(Column::Id.eq(id));
    tx.find_any::<Entity>().filter(filter).locked().one().await
}

pub(crate) async fn update(tx: &Tx<Tenant>, row: ActiveModel) -> Result<Model> {
    tx.update(row).await
}

pub(crate) async fn update_instance(tx: &Tx<System>, row: ActiveModel) -> Result<Model> {
    tx.update_any(ActiveModel { tenant_id: Set(TenantId::NIL), ..row }).await
}

/// Jobs whose time has come, and running jobs whose lease has expired.
fn due(kinds: &[&'static str], except: &[JobId], now: DateTime<Utc>) -> Condition {
    let expired = Condition::all().add(Column::State.eq(JobState::Running)).add(Column::LeaseUntil.lte(now));
    Condition::all()
        .add(Expr::cust(OPEN))
        .add(Column::RunAt.lte(now))
        .add(Condition::any().add(Column::State.eq(JobState::Queued)).add(expired))
        .add(Column::Kind.is_in(kinds.iter().copied()))
        .add_option((!except.is_empty()).then(|| Column::Id.is_not_in(except.iter().copied())))
}

/// The tenants that have jobs to claim. A separate read, so that an idle poll does not take SQLite's write
/// lock.
pub(crate) async fn tenants_due(
    tx: &Tx<System>,
    kinds: &[&'static str],
    except: &[JobId],
    now: DateTime<Utc>,
) -> Result<Vec<TenantId>> {
    tx.tenants_with::<Entity>(OPEN, due(kinds, except, now)).await
}

/// The number of due jobs that wait for a free node.
pub(crate) async fn waiting(tx: &Tx<System>, now: DateTime<Utc>) -> Result<u64> {
    let filter = Condition::all().add(Expr::cust(OPEN)).add(Column::RunAt.lte(now));
    tx.find_any::<Entity>().filter(filter).filter(Column::State.eq(JobState::Queued)).count().await
}

/// The result of a claim.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    /// Jobs to run now, as they are after the claim.
    pub(crate) runnable: Vec<Model>,
    /// Jobs that failed for good: the lease of their last attempt expired, so each run may have crashed its
    /// node.
    pub(crate) exhausted: Vec<Model>,
}

/// Claims up to `limit` due jobs of a tenant for a node, the longest overdue first.
pub(crate) async fn claim(
    tx: &Tx<System>,
    kinds: &[&'static str],
    except: &[JobId],
    (node, duration): (NodeId, Duration),
    now: DateTime<Utc>,
    (tenant, limit): (TenantId, usize),
) -> Result<Claimed> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let find =
        tx.find_unlocked::<Entity>().filter(due(kinds, except, now)).filter(Column::TenantId.eq(tenant));
    let rows = find.order_by_asc(Column::RunAt).limit(limit).all().await?;
    let (exhausted, mut runnable): (Vec<Model>, Vec<Model>) =
        rows.into_iter().partition(|row| row.state == JobState::Running && row.attempts >= row.max_attempts);
    if !exhausted.is_empty() {
        tx.update_all::<Entity>()
            .set(Column::State, JobState::Failed)
            .set(
                Column::LastError,
                "the lease of the last attempt expired: its node crashed or lost the database",
            )
            .set(Column::LeaseUntil, Option::<DateTime<Utc>>::None)
            .set(Column::LeaseOwner, Option::<NodeId>::None)
            .set(Column::FinishedAt, now)
            .set(Column::UpdatedAt, now)
            .filter(by_keys(&exhausted))
            .exec()
            .await?;
    }
    if !runnable.is_empty() {
        let until = now + duration;
        tx.update_all::<Entity>()
            .set(Column::State, JobState::Running)
            .set(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .set(Column::LeaseUntil, until)
            .set(Column::LeaseOwner, node)
            .set(Column::UpdatedAt, now)
            .filter(by_keys(&runnable))
            .exec()
            .await?;
        for row in &mut runnable {
            row.attempts += 1;
        }
    }
    Ok(Claimed { runnable, exhausted })
}

/// The rows by their full primary key: the id alone would not use an index.
fn by_keys(rows: &[Model]) -> Condition {
    rows.iter().fold(Condition::any(), |any, row| {
        any.add(Condition::all().add(Column::TenantId.eq(row.tenant_id)).add(Column::Id.eq(row.id)))
    })
}

fn owned_by(lease: &Lease) -> Condition {
    Condition::all()
        .add(Column::TenantId.eq(lease.tenant))
        .add(Column::Id.eq(lease.id))
        .add(Column::LeaseOwner.eq(lease.node))
        .add(Column::Attempts.eq(lease.attempt))
}

fn held_lease(lease: &Lease, now: DateTime<Utc>) -> Condition {
    owned_by(lease).add(Column::State.eq(JobState::Running)).add(Column::LeaseUntil.gt(now))
}

/// Renews a lease, unless it is lost.
pub(crate) async fn renew(
    tx: &Tx<System>,
    lease: &Lease,
    now: DateTime<Utc>,
    duration: Duration,
) -> Result<LeaseState> {
    let renewal = tx.update_all::<Entity>().set(Column::LeaseUntil, now + duration);
    if renewal.filter(held_lease(lease, now)).exec().await? > 0 {
        return Ok(LeaseState::Held);
    }
    let cancelled = owned_by(lease).add(Column::State.eq(JobState::Cancelled));
    let row = tx.find_any::<Entity>().filter(cancelled).one().await?;
    Ok(if row.is_some() { LeaseState::Cancelled } else { LeaseState::Lost })
}

/// Records the end of a run, unless its lease is lost.
pub(crate) async fn end(
    tx: &Tx<System>,
    lease: &Lease,
    now: DateTime<Utc>,
    outcome: &RunOutcome,
) -> Result<LeaseState> {
    let update = tx
        .update_all::<Entity>()
        .set(Column::LeaseUntil, Option::<DateTime<Utc>>::None)
        .set(Column::LeaseOwner, Option::<NodeId>::None)
        .set(Column::UpdatedAt, now);
    let update = match outcome {
        RunOutcome::Succeeded => update
            .set(Column::State, JobState::Succeeded)
            .set(Column::LastError, Option::<String>::None)
            .set(Column::FinishedAt, now),
        RunOutcome::Failed { error } => update
            .set(Column::State, JobState::Failed)
            .set(Column::LastError, error.as_str())
            .set(Column::FinishedAt, now),
        RunOutcome::Retry { error, at } => update
            .set(Column::State, JobState::Queued)
            .set(Column::LastError, error.as_str())
            .set(Column::RunAt, *at),
        RunOutcome::Released => update
            .set(Column::State, JobState::Queued)
            .set(Column::Attempts, Expr::col(Column::Attempts).sub(1)),
    };
    if update.filter(held_lease(lease, now)).exec().await? > 0 {
        return Ok(LeaseState::Held);
    }
    // A cancelled job keeps its lease until its run has stopped, so that a retry can't run concurrently.
    let released = tx
        .update_all::<Entity>()
        .set(Column::LeaseUntil, Option::<DateTime<Utc>>::None)
        .set(Column::LeaseOwner, Option::<NodeId>::None)
        .filter(owned_by(lease).add(Column::State.eq(JobState::Cancelled)))
        .exec()
        .await?;
    Ok(if released > 0 { LeaseState::Cancelled } else { LeaseState::Lost })
}

/// Deletes about `batch` jobs that ended before `before`, oldest first. Returns their number.
pub(crate) async fn delete_finished(tx: &Tx<System>, before: DateTime<Utc>, batch: u64) -> Result<u64> {
    let old = Column::FinishedAt.lt(before);
    let find = tx.find_any::<Entity>().filter(old.clone()).order_by_asc(Column::FinishedAt);
    let last = find.offset(batch.saturating_sub(1)).limit(1).one().await?.and_then(|row| row.finished_at);
    let delete = tx.delete_any::<Entity>();
    match last {
        Some(last) => delete.filter(Column::FinishedAt.lte(last)).exec().await,
        None => delete.filter(old).exec().await,
    }
}
