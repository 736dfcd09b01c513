//! Handlers of jobs.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use loam_kernel::{Error, JobId, Kind, Result, Scope, TenantId};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::schedule::Schedule;

/// The code of an error that a retry can't fix.
pub(crate) const UNREADABLE_PAYLOAD: &str = "unreadable_payload";

/// Runs the jobs of one kind. It must be idempotent: a run may be repeated although it did its work.
#[async_trait]
pub trait Handler: Send + Sync {
    /// The kind of job: a slug such as `projects.delete`.
    fn kind(&self) -> &'static str;

    /// Whether a run mostly waits for something else, such as another server. Runs of such kinds have slots
    /// of their own (`jobs.waiting`), so that slow services do not block other jobs.
    fn waits(&self) -> bool {
        false
    }

    /// Does the work. An error or a panic is a failed attempt, which is retried after a delay; an error's
    /// `retry_after` extends the delay.
    ///
    /// The future is dropped at an `await` when the lease is lost or the node stops. It must not block its
    /// thread for longer than a moment.
    async fn run(&self, job: &JobContext, payload: Value) -> Result<()>;
}

/// The job that a handler runs.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// ID of the job.
    pub id: JobId,
    /// Tenant ID; nil for jobs of the instance.
    pub tenant: TenantId,
    /// Number of this attempt, from 1.
    pub attempt: i32,
    /// Maximum number of attempts.
    pub max_attempts: i32,
    pub(crate) cancelled: CancellationToken,
}

impl JobContext {
    /// Completes when the job is cancelled or its lease is lost. A handler that continues is dropped when the
    /// lease expires.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Whether the job is cancelled or its lease is lost. Check it between the steps of long work.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// The scope of the job's work in its tenant.
    pub fn scope(&self) -> Scope {
        Scope::system(self.tenant, "jobs")
    }
}

/// Deserializes a payload. An unreadable payload fails the job permanently, because a retry gets the same
/// payload.
pub fn read_payload<T: DeserializeOwned>(payload: Value) -> Result<T> {
    serde_json::from_value(payload).map_err(|e| {
        Error::new(Kind::Invalid, UNREADABLE_PAYLOAD, "the payload is invalid for this kind of job")
            .with_source(e)
    })
}

/// The handlers and schedules of a node.
#[derive(Clone, Default)]
pub struct Handlers {
    by_kind: HashMap<&'static str, Arc<dyn Handler>>,
    pub(crate) schedules: Vec<Schedule>,
}

impl Handlers {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler; it replaces an earlier one of the same kind.
    #[must_use]
    pub fn with(mut self, handler: impl Handler + 'static) -> Self {
        self.by_kind.insert(handler.kind(), Arc::new(handler));
        self
    }

    /// Adds a schedule. A job whose kind has no handler here stays queued for a node that has one.
    #[must_use]
    pub fn every(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Adds the handlers and schedules of another part of the server.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.by_kind.extend(other.by_kind);
        self.schedules.extend(other.schedules);
        self
    }

    /// The kinds whose runs mostly wait, or the others.
    pub(crate) fn kinds(&self, wait: bool) -> Vec<&'static str> {
        self.by_kind.iter().filter(|(_, handler)| handler.waits() == wait).map(|(kind, _)| *kind).collect()
    }

    pub(crate) fn get(&self, kind: &str) -> Option<(&'static str, Arc<dyn Handler>)> {
        self.by_kind.get_key_value(kind).map(|(kind, handler)| (*kind, handler.clone()))
    }
}
