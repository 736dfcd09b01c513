//! The only place where rows of `jobs` are read and written.

use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::{System, Tenant, Tx};
use loam_kernel::{JobId, NodeId, Page, PageQuery, Result, TenantId};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Set};

use crate::entity::{ActiveModel, Column, Entity, Model};
use crate::state::JobState;

/// The condition of the index on `run_at`, in its own words: with bound values PostgreSQL couldn't tell that it applies.
const OPEN: &str = "state IN ('queued', 'running')";

/// One run's hold on a job. The attempt is part of it, so that a later run on the same node is another hold.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) tenant: TenantId,
    pub(crate) id: JobId,
    pub(crate) node: NodeId,
    pub(crate) attempt: i32,
}

/// How a run ends on the record.
#[derive(Debug)]
pub(crate) enum Ending {
    Succeeded,
    Failed {
        error: String,
    },
    Retry {
        error: String,
        at: DateTime<Utc>,
    },
    /// The node stops: the job goes back to the queue as if this run had not begun.
    GivenBack,
}

/// What has become of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Yes,
    /// Somebody cancelled the job.
    Cancelled,
    /// The lease has run out, and another run may have begun.
    No,
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

/// The same for a job of the instance, while the transaction's tenant is that of the operator.
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

/// Due are jobs whose time has come, and running ones whose lease has run out.
fn due(kinds: &[&'static str], except: &[JobId], now: DateTime<Utc>) -> Condition {
    let expired = Condition::all().add(Column::State.eq(JobState::Running)).add(Column::LeaseUntil.lte(now));
    Condition::all()
        .add(Expr::cust(OPEN))
        .add(Column::RunAt.lte(now))
        .add(Condition::any().add(Column::State.eq(JobState::Queued)).add(expired))
        .add(Column::Kind.is_in(kinds.iter().copied()))
        .add_option((!except.is_empty()).then(|| Column::Id.is_not_in(except.iter().copied())))
}

/// The tenants that have something to claim. Asked first, as an idle poll must not take SQLite's one writer.
pub(crate) async fn tenants_due(
    tx: &Tx<System>,
    kinds: &[&'static str],
    except: &[JobId],
    now: DateTime<Utc>,
) -> Result<Vec<TenantId>> {
    tx.tenants_with::<Entity>(OPEN, due(kinds, except, now)).await
}

/// The number of jobs whose time has come and that wait for a free node.
pub(crate) async fn waiting(tx: &Tx<System>, now: DateTime<Utc>) -> Result<u64> {
    let filter = Condition::all().add(Expr::cust(OPEN)).add(Column::RunAt.lte(now));
    tx.find_any::<Entity>().filter(filter).filter(Column::State.eq(JobState::Queued)).count().await
}

/// What a claim found.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    /// To be run now; as they are after the claim.
    pub(crate) live: Vec<Model>,
    /// Given up: the lease of their last attempt ran out, so each of their runs may have taken its node down.
    pub(crate) spent: Vec<Model>,
}

/// Takes up to `limit` due jobs of a tenant for a node, the longest due first.
pub(crate) async fn claim(
    tx: &Tx<System>,
    kinds: &[&'static str],
    except: &[JobId],
    (node, lease): (NodeId, Duration),
    now: DateTime<Utc>,
    (tenant, limit): (TenantId, usize),
) -> Result<Claimed> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let find = tx.find_free::<Entity>().filter(due(kinds, except, now)).filter(Column::TenantId.eq(tenant));
    let rows = find.order_by_asc(Column::RunAt).limit(limit).all().await?;
    let (spent, mut live): (Vec<Model>, Vec<Model>) =
        rows.into_iter().partition(|row| row.state == JobState::Running && row.attempts >= row.max_attempts);
    if !spent.is_empty() {
        tx.update_all::<Entity>()
            .set(Column::State, JobState::Failed)
            .set(
                Column::LastError,
                "the lease of the last attempt ran out: its node died or lost the database",
            )
            .set(Column::LeaseUntil, Option::<DateTime<Utc>>::None)
            .set(Column::LeaseOwner, Option::<NodeId>::None)
            .set(Column::FinishedAt, now)
            .set(Column::UpdatedAt, now)
            .filter(these(&spent))
            .exec()
            .await?;
    }
    if !live.is_empty() {
        let until = now + lease;
        tx.update_all::<Entity>()
            .set(Column::State, JobState::Running)
            .set(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .set(Column::LeaseUntil, until)
            .set(Column::LeaseOwner, node)
            .set(Column::UpdatedAt, now)
            .filter(these(&live))
            .exec()
            .await?;
        for row in &mut live {
            row.attempts += 1;
        }
    }
    Ok(Claimed { live, spent })
}

/// The rows by their whole key: an id alone would find no index.
fn these(rows: &[Model]) -> Condition {
    rows.iter().fold(Condition::any(), |any, row| {
        any.add(Condition::all().add(Column::TenantId.eq(row.tenant_id)).add(Column::Id.eq(row.id)))
    })
}

fn by(hold: &Hold) -> Condition {
    Condition::all()
        .add(Column::TenantId.eq(hold.tenant))
        .add(Column::Id.eq(hold.id))
        .add(Column::LeaseOwner.eq(hold.node))
        .add(Column::Attempts.eq(hold.attempt))
}

fn held(hold: &Hold, now: DateTime<Utc>) -> Condition {
    by(hold).add(Column::State.eq(JobState::Running)).add(Column::LeaseUntil.gt(now))
}

/// Renews a lease, unless it has been lost.
pub(crate) async fn renew(tx: &Tx<System>, hold: &Hold, now: DateTime<Utc>, lease: Duration) -> Result<Held> {
    let renewal = tx.update_all::<Entity>().set(Column::LeaseUntil, now + lease);
    if renewal.filter(held(hold, now)).exec().await? > 0 {
        return Ok(Held::Yes);
    }
    let cancelled = by(hold).add(Column::State.eq(JobState::Cancelled));
    let row = tx.find_any::<Entity>().filter(cancelled).one().await?;
    Ok(if row.is_some() { Held::Cancelled } else { Held::No })
}

/// Records how a run ended, unless its lease has been lost.
pub(crate) async fn end(tx: &Tx<System>, hold: &Hold, now: DateTime<Utc>, ending: &Ending) -> Result<Held> {
    let update = tx
        .update_all::<Entity>()
        .set(Column::LeaseUntil, Option::<DateTime<Utc>>::None)
        .set(Column::LeaseOwner, Option::<NodeId>::None)
        .set(Column::UpdatedAt, now);
    let update = match ending {
        Ending::Succeeded => update
            .set(Column::State, JobState::Succeeded)
            .set(Column::LastError, Option::<String>::None)
            .set(Column::FinishedAt, now),
        Ending::Failed { error } => update
            .set(Column::State, JobState::Failed)
            .set(Column::LastError, error.as_str())
            .set(Column::FinishedAt, now),
        Ending::Retry { error, at } => update
            .set(Column::State, JobState::Queued)
            .set(Column::LastError, error.as_str())
            .set(Column::RunAt, *at),
        Ending::GivenBack => update
            .set(Column::State, JobState::Queued)
            .set(Column::Attempts, Expr::col(Column::Attempts).sub(1)),
    };
    if update.filter(held(hold, now)).exec().await? > 0 {
        return Ok(Held::Yes);
    }
    // a cancelled job keeps its lease until its run has stopped, so that a retry can't begin beside it
    let released = tx
        .update_all::<Entity>()
        .set(Column::LeaseUntil, Option::<DateTime<Utc>>::None)
        .set(Column::LeaseOwner, Option::<NodeId>::None)
        .filter(by(hold).add(Column::State.eq(JobState::Cancelled)))
        .exec()
        .await?;
    Ok(if released > 0 { Held::Cancelled } else { Held::No })
}

/// Deletes about `batch` of the jobs that ended before `before`, the oldest first; says how many.
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
