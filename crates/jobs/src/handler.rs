//! What runs a job.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use loam_kernel::{Error, JobId, Kind, Result, Scope, TenantId};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::schedule::Schedule;

/// The code of the error that no further attempt can mend.
pub(crate) const UNREADABLE: &str = "unreadable_payload";

/// Runs the jobs of one kind. It must be idempotent: a run may be repeated though it did its work.
#[async_trait]
pub trait Handler: Send + Sync {
    /// The kind of job: a slug such as `projects.delete`.
    fn kind(&self) -> &'static str;

    /// Whether a run mostly waits for somebody else, such as another server. Runs of such kinds have places of their own
    /// (`jobs.waiting`), so that the slowness of others holds up nothing else.
    fn waits(&self) -> bool {
        false
    }

    /// Does the work. An error, or a panic, is a failed attempt, which is repeated after a while; an error's
    /// `retry_after` lengthens the wait.
    ///
    /// The future is dropped, at an `await`, when the lease is lost or the node stops. It must not block its thread
    /// for longer than a moment.
    async fn run(&self, job: &JobContext, payload: Value) -> Result<()>;
}

/// What a handler knows of the job it runs.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// The job.
    pub id: JobId,
    /// Whose work it is; nil for the instance's own.
    pub tenant: TenantId,
    /// Which run this is, from 1.
    pub attempt: i32,
    /// The run after which the job is given up.
    pub max_attempts: i32,
    pub(crate) cancelled: CancellationToken,
}

impl JobContext {
    /// Ends when somebody cancels the job or its lease is lost. A handler that goes on is dropped when the lease ends.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Whether somebody cancelled the job or its lease is lost: to be asked between the steps of long work.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// The scope for what the job does in its tenant.
    pub fn scope(&self) -> Scope {
        Scope::system(self.tenant, "jobs")
    }
}

/// Reads a payload into the handler's own type. One that can't be read fails the job for good: it won't change.
pub fn read_payload<T: DeserializeOwned>(payload: Value) -> Result<T> {
    serde_json::from_value(payload).map_err(|e| {
        Error::new(Kind::Invalid, UNREADABLE, "the payload is not what this kind of job takes").with_source(e)
    })
}

/// What a node can run, and what it sees to be enqueued on time.
#[derive(Clone, Default)]
pub struct Handlers {
    by_kind: HashMap<&'static str, Arc<dyn Handler>>,
    pub(crate) schedules: Vec<Schedule>,
}

impl Handlers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler; it takes the place of an earlier one of its kind.
    #[must_use]
    pub fn with(mut self, handler: impl Handler + 'static) -> Self {
        self.by_kind.insert(handler.kind(), Arc::new(handler));
        self
    }

    /// Adds a schedule. A kind that has no handler here stays queued for a node that has one.
    #[must_use]
    pub fn every(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// The kinds whose runs mostly wait, or those whose runs don't.
    pub(crate) fn kinds(&self, wait: bool) -> Vec<&'static str> {
        self.by_kind.iter().filter(|(_, handler)| handler.waits() == wait).map(|(kind, _)| *kind).collect()
    }

    pub(crate) fn get(&self, kind: &str) -> Option<(&'static str, Arc<dyn Handler>)> {
        self.by_kind.get_key_value(kind).map(|(kind, handler)| (*kind, handler.clone()))
    }
}
