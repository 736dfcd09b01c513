//! Enqueues jobs.

use chrono::{DateTime, Utc};
use loam_db::Tx;
use loam_kernel::{Clock, Error, JobId, Result, bounded, slug};
use sea_orm::{NotSet, Set};
use serde::Serialize;
use serde_json::Value;

use crate::{entity, queries, state::JobState};

const MAX_ATTEMPTS: u16 = 10;

/// A job to enqueue.
#[derive(Clone, Debug)]
pub struct NewJob<P> {
    /// Kind, which selects the handler.
    pub kind: &'static str,
    /// Input of the handler. It is visible through the API: ids, never secrets.
    pub payload: P,
    /// Earliest time to run; `None` for now.
    pub run_at: Option<DateTime<Utc>>,
    /// Maximum number of attempts, 1 to 1,000; `None` for 10.
    pub max_attempts: Option<u16>,
    /// Prevents duplicates: while the tenant has a job of this kind with this key, finished or not, another
    /// is not enqueued.
    pub unique_key: Option<String>,
}

impl<P> NewJob<P> {
    /// A job to run at once.
    pub fn new(kind: &'static str, payload: P) -> Self {
        Self { kind, payload, run_at: None, max_attempts: None, unique_key: None }
    }

    /// Sets the earliest time to run.
    #[must_use]
    pub fn at(mut self, run_at: DateTime<Utc>) -> Self {
        self.run_at = Some(run_at);
        self
    }

    /// Sets the maximum number of attempts.
    #[must_use]
    pub fn attempts(mut self, max: u16) -> Self {
        self.max_attempts = Some(max);
        self
    }

    /// Sets the unique key.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }
}

/// Enqueues a job for the transaction's tenant, in that transaction: a rollback removes the job. `None` if a
/// job with the same unique key exists. Jobs of the instance belong to [`TenantId::NIL`] and need a
/// transaction of the system role.
///
/// A runner in the same process finds it at its next poll, or at once if [`Wake`](crate::Wake) is called
/// after the commit.
///
/// [`TenantId::NIL`]: loam_kernel::TenantId::NIL
pub async fn enqueue<R, P: Serialize>(tx: &Tx<R>, clock: &Clock, job: NewJob<P>) -> Result<Option<JobId>> {
    slug("kind", job.kind, 100)?;
    if let Some(key) = &job.unique_key {
        bounded("unique_key", key, 500)?;
    }
    let max_attempts = job.max_attempts.unwrap_or(MAX_ATTEMPTS);
    if !(1..=1000).contains(&max_attempts) {
        return Err(Error::invalid("max_attempts", "must be between 1 and 1,000"));
    }
    let payload = serde_json::to_value(job.payload).map_err(Error::internal)?;
    if has_nul(&payload) {
        return Err(Error::invalid("payload", "must not contain a NUL character"));
    }
    let (id, now) = (clock.id(), clock.now());
    let row = entity::ActiveModel {
        tenant_id: NotSet,
        id: Set(id),
        kind: Set(job.kind.to_owned()),
        payload: Set(payload),
        state: Set(JobState::Queued),
        attempts: Set(0),
        max_attempts: Set(i32::from(max_attempts)),
        run_at: Set(job.run_at.unwrap_or(now)),
        lease_until: Set(None),
        lease_owner: Set(None),
        last_error: Set(None),
        unique_key: Set(job.unique_key),
        finished_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    Ok(queries::insert(tx, row).await?.then_some(id))
}

/// PostgreSQL can't store NUL characters; rejecting them here keeps the caller's transaction usable.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}
