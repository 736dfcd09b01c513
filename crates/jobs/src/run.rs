//! One run of a job: the handler, the heartbeat that renews its lease, and the record of how it ended.

use std::sync::Arc;
use std::time::Duration;

use loam_db::Db;
use loam_kernel::{Clock, Error, NodeId, Result, Scope, TenantId};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::backoff;
use crate::config::Config;
use crate::entity::Model;
use crate::handler::{Handlers, JobContext, UNREADABLE_PAYLOAD};
use crate::queries::{self, Lease, LeaseState, RunOutcome};

/// Maximum length of a stored error in characters.
const ERROR_LENGTH: usize = 2000;

/// How long a dropped handler may take to reach an `await`.
const DROP_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause before recording an end is retried.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// What the runs of a node share.
pub(crate) struct Worker {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) handlers: Handlers,
    pub(crate) config: Config,
    pub(crate) node: NodeId,
    /// Cancelled when the node stops waiting for its runs.
    pub(crate) release: CancellationToken,
}

/// How a handler ended.
enum HandlerExit {
    Returned(Result<()>),
    /// The job was cancelled, and the handler had not stopped when its lease expired.
    Overrun,
    /// The lease is lost.
    Lost,
    /// The node stops.
    Released,
}

impl Worker {
    pub(crate) fn scope() -> Scope {
        Scope::system(TenantId::NIL, "jobs")
    }

    /// Runs a job that this node has claimed. `lease_end` is when the lease expires by the local monotonic
    /// clock.
    pub(crate) async fn run(self: Arc<Self>, job: Model, lease_end: Instant) {
        // Only known kinds are claimed. Otherwise the lease expires and a node with a handler claims the job.
        let Some((kind, handler)) = self.handlers.get(&job.kind) else { return };
        let lease = Lease { tenant: job.tenant_id, id: job.id, node: self.node, attempt: job.attempts };
        let cancelled = CancellationToken::new();
        let context = JobContext {
            id: job.id,
            tenant: job.tenant_id,
            attempt: job.attempts,
            max_attempts: job.max_attempts,
            cancelled: cancelled.clone(),
        };
        let started = Instant::now();
        // A separate task, so that a handler that blocks between two awaits does not delay its heartbeat;
        // aborted with the set.
        let mut task = JoinSet::new();
        task.spawn(async move { handler.run(&context, job.payload).await });
        let (end, lease_end) = self.supervise(&mut task, &lease, &cancelled, lease_end).await;
        cancelled.cancel();
        let stopped = timeout(DROP_TIMEOUT, task.shutdown()).await.is_ok();
        let outcome = match end {
            HandlerExit::Returned(result) => self.returned(&lease, job.max_attempts, result, lease_end).await,
            // Unless the handler has certainly stopped, the job has to wait for its lease to expire.
            HandlerExit::Released if stopped => {
                self.record(&lease, &RunOutcome::Released, "given_back", lease_end).await
            }
            HandlerExit::Overrun => "cancelled",
            HandlerExit::Released | HandlerExit::Lost => "lost",
        };
        if outcome == "lost" {
            tracing::warn!(job.id = %lease.id, job.kind = kind, "the run lost its lease; the job will run again");
        }
        metrics::counter!("loam_jobs_run_total", "kind" => kind, "outcome" => outcome).increment(1);
        metrics::histogram!("loam_jobs_run_seconds", "kind" => kind).record(started.elapsed());
    }

    /// Waits for the handler and renews its lease meanwhile. Also returns when the lease expires.
    async fn supervise(
        &self,
        task: &mut JoinSet<Result<()>>,
        lease: &Lease,
        cancelled: &CancellationToken,
        mut lease_end: Instant,
    ) -> (HandlerExit, Instant) {
        let mut beat = interval_at(Instant::now() + self.config.heartbeat(), self.config.heartbeat());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(done) = task.join_next() => {
                    let result = done.unwrap_or_else(|panic| Err(Error::internal(panic_message(panic))));
                    return (HandlerExit::Returned(result), lease_end);
                }
                () = self.release.cancelled() => return (HandlerExit::Released, lease_end),
                () = sleep_until(lease_end) => {
                    let end = if cancelled.is_cancelled() { HandlerExit::Overrun } else { HandlerExit::Lost };
                    return (end, lease_end);
                }
                _ = beat.tick(), if !cancelled.is_cancelled() => {
                    // Read before the database's time, so that the lease never expires later here than there.
                    let renewed = Instant::now() + self.config.lease();
                    match timeout_at(lease_end, self.renew(lease)).await {
                        Ok(Ok(LeaseState::Held)) => lease_end = renewed,
                        // The handler may stop by itself until the lease expires.
                        Ok(Ok(LeaseState::Cancelled)) => cancelled.cancel(),
                        Ok(Ok(LeaseState::Lost)) => return (HandlerExit::Lost, lease_end),
                        Ok(Err(error)) => {
                            tracing::debug!(job.id = %lease.id, %error, "a lease was not renewed; retrying");
                        }
                        Err(_) => {}
                    }
                }
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<LeaseState> {
        let now = self.clock.now();
        let tx = self.db.system_write(&Self::scope()).await?;
        let held = queries::renew(&tx, lease, now, self.config.lease()).await?;
        tx.commit().await?;
        Ok(held)
    }

    /// Records the result of a handler.
    async fn returned(
        &self,
        lease: &Lease,
        max: i32,
        result: Result<()>,
        lease_end: Instant,
    ) -> &'static str {
        let Err(error) = result else {
            return self.record(lease, &RunOutcome::Succeeded, "succeeded", lease_end).await;
        };
        let text = describe(&error);
        if error.code() == UNREADABLE_PAYLOAD || lease.attempt >= max {
            tracing::error!(job.id = %lease.id, job.attempt = lease.attempt, error = text, "job failed permanently");
            return self.record(lease, &RunOutcome::Failed { error: text }, "failed", lease_end).await;
        }
        let wait = backoff::wait(&self.clock, lease.attempt).max(error.retry_after().unwrap_or_default());
        tracing::warn!(job.id = %lease.id, job.attempt = lease.attempt, error = text, "job failed; it will be retried");
        let at = self.clock.now() + wait;
        self.record(lease, &RunOutcome::Retry { error: text, at }, "retried", lease_end).await
    }

    /// Records an end while the lease lasts, retrying while the database is unavailable.
    async fn record(
        &self,
        lease: &Lease,
        outcome: &RunOutcome,
        label: &'static str,
        lease_end: Instant,
    ) -> &'static str {
        let attempt = async {
            loop {
                match self.end(lease, outcome).await {
                    Ok(LeaseState::Held) => return label,
                    Ok(LeaseState::Cancelled) => return "cancelled",
                    Ok(LeaseState::Lost) => return "lost",
                    Err(error) => {
                        tracing::debug!(job.id = %lease.id, %error, "the end of a run was not recorded; retrying")
                    }
                }
                sleep(RETRY_INTERVAL).await;
            }
        };
        timeout_at(lease_end, attempt).await.unwrap_or("lost")
    }

    async fn end(&self, lease: &Lease, outcome: &RunOutcome) -> Result<LeaseState> {
        let now = self.clock.now();
        let tx = self.db.system_write(&Self::scope()).await?;
        let held = queries::end(&tx, lease, now, outcome).await?;
        tx.commit().await?;
        Ok(held)
    }
}

fn panic_message(error: JoinError) -> String {
    let text = match error.try_into_panic() {
        Ok(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().map_or_else(|_| String::new(), |text| (*text).to_owned()),
        },
        Err(error) => error.to_string(),
    };
    format!("the handler panicked: {text}")
}

/// The stored form of an error: its message and its source, truncated, without the NUL characters that
/// PostgreSQL rejects.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text = format!("{text}: {source}");
    }
    text.chars().filter(|c| *c != '\0').take(ERROR_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_error_includes_its_source_and_is_truncated() {
        let error = Error::internal("the \0cause");
        assert_eq!(describe(&error), "internal server error: the cause");
        let long = Error::internal("ö".repeat(5000));
        assert_eq!(describe(&long).chars().count(), ERROR_LENGTH);
    }
}
