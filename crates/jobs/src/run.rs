//! One run of one job: the handler, the heartbeat that keeps its lease, and the record of how it ended.

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
use crate::handler::{Handlers, JobContext, UNREADABLE};
use crate::queries::{self, Ending, Held, Hold};

/// How much of an error is kept, in characters.
const ERROR_LENGTH: usize = 2000;

/// How long a dropped handler may take to come to an `await`.
const DROP: Duration = Duration::from_secs(1);

/// The pause before the record of an ending is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// What every run on a node needs.
pub(crate) struct Worker {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) handlers: Handlers,
    pub(crate) config: Config,
    pub(crate) node: NodeId,
    /// Ends when the node has no more time to wait for its runs.
    pub(crate) give_back: CancellationToken,
}

/// How a handler came to its end.
enum End {
    Returned(Result<()>),
    /// The job was cancelled, and the handler had not stopped by the end of its lease.
    Overrun,
    /// The lease is lost.
    Lost,
    /// The node stops.
    GivenBack,
}

impl Worker {
    pub(crate) fn scope() -> Scope {
        Scope::system(TenantId::NIL, "jobs")
    }

    /// Runs a job that this node has claimed. `lease_end` is when the lease ends by this process's own clock.
    pub(crate) async fn run(self: Arc<Self>, job: Model, lease_end: Instant) {
        // only known kinds are claimed; if it weren't so, the lease would bring the job to a node that knows it
        let Some((kind, handler)) = self.handlers.get(&job.kind) else { return };
        let hold = Hold { tenant: job.tenant_id, id: job.id, node: self.node, attempt: job.attempts };
        let cancelled = CancellationToken::new();
        let context = JobContext {
            id: job.id,
            tenant: job.tenant_id,
            attempt: job.attempts,
            max_attempts: job.max_attempts,
            cancelled: cancelled.clone(),
        };
        let started = Instant::now();
        // a task of its own, so that a handler busy between two awaits doesn't hold up its heartbeat; aborted with the set
        let mut task = JoinSet::new();
        task.spawn(async move { handler.run(&context, job.payload).await });
        let (end, lease_end) = self.supervise(&mut task, &hold, &cancelled, lease_end).await;
        cancelled.cancel();
        let gone = timeout(DROP, task.shutdown()).await.is_ok();
        let outcome = match end {
            End::Returned(result) => self.returned(&hold, job.max_attempts, result, lease_end).await,
            // without its handler gone for sure, the job has to wait for the end of its lease
            End::GivenBack if gone => self.record(&hold, &Ending::GivenBack, "given_back", lease_end).await,
            End::Overrun => "cancelled",
            End::GivenBack | End::Lost => "lost",
        };
        if outcome == "lost" {
            tracing::warn!(job.id = %hold.id, job.kind = kind, "the run lost its lease; the job will run again");
        }
        metrics::counter!("loam_jobs_run_total", "kind" => kind, "outcome" => outcome).increment(1);
        metrics::histogram!("loam_jobs_run_seconds", "kind" => kind).record(started.elapsed());
    }

    /// Waits for the handler and keeps its lease meanwhile; says when the lease ends, too.
    async fn supervise(
        &self,
        task: &mut JoinSet<Result<()>>,
        hold: &Hold,
        cancelled: &CancellationToken,
        mut lease_end: Instant,
    ) -> (End, Instant) {
        let mut beat = interval_at(Instant::now() + self.config.heartbeat(), self.config.heartbeat());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(done) = task.join_next() => {
                    let result = done.unwrap_or_else(|panic| Err(Error::internal(panic_message(panic))));
                    return (End::Returned(result), lease_end);
                }
                () = self.give_back.cancelled() => return (End::GivenBack, lease_end),
                () = sleep_until(lease_end) => {
                    let end = if cancelled.is_cancelled() { End::Overrun } else { End::Lost };
                    return (end, lease_end);
                }
                _ = beat.tick(), if !cancelled.is_cancelled() => {
                    // taken before the database's time, so that the lease never ends later here than there
                    let renewed = Instant::now() + self.config.lease();
                    match timeout_at(lease_end, self.renew(hold)).await {
                        Ok(Ok(Held::Yes)) => lease_end = renewed,
                        // the handler has until the end of the lease to stop by itself
                        Ok(Ok(Held::Cancelled)) => cancelled.cancel(),
                        Ok(Ok(Held::No)) => return (End::Lost, lease_end),
                        Ok(Err(error)) => {
                            tracing::debug!(job.id = %hold.id, %error, "a lease was not renewed; trying again");
                        }
                        Err(_) => {}
                    }
                }
            }
        }
    }

    async fn renew(&self, hold: &Hold) -> Result<Held> {
        let now = self.clock.now();
        let tx = self.db.system_write(&Self::scope()).await?;
        let held = queries::renew(&tx, hold, now, self.config.lease()).await?;
        tx.commit().await?;
        Ok(held)
    }

    /// Records what a handler returned.
    async fn returned(&self, hold: &Hold, max: i32, result: Result<()>, lease_end: Instant) -> &'static str {
        let Err(error) = result else {
            return self.record(hold, &Ending::Succeeded, "succeeded", lease_end).await;
        };
        let text = describe(&error);
        if error.code() == UNREADABLE || hold.attempt >= max {
            tracing::error!(job.id = %hold.id, job.attempt = hold.attempt, error = text, "job failed for good");
            return self.record(hold, &Ending::Failed { error: text }, "failed", lease_end).await;
        }
        let wait = backoff::wait(&self.clock, hold.attempt).max(error.retry_after().unwrap_or_default());
        tracing::warn!(job.id = %hold.id, job.attempt = hold.attempt, error = text, "job failed; it will be tried again");
        let at = self.clock.now() + wait;
        self.record(hold, &Ending::Retry { error: text, at }, "retried", lease_end).await
    }

    /// Writes the ending while the lease lasts, though the database be away for some of that time.
    async fn record(
        &self,
        hold: &Hold,
        ending: &Ending,
        outcome: &'static str,
        lease_end: Instant,
    ) -> &'static str {
        let attempt = async {
            loop {
                match self.end(hold, ending).await {
                    Ok(Held::Yes) => return outcome,
                    Ok(Held::Cancelled) => return "cancelled",
                    Ok(Held::No) => return "lost",
                    Err(error) => {
                        tracing::debug!(job.id = %hold.id, %error, "an ending was not recorded; trying again")
                    }
                }
                sleep(PAUSE).await;
            }
        };
        timeout_at(lease_end, attempt).await.unwrap_or("lost")
    }

    async fn end(&self, hold: &Hold, ending: &Ending) -> Result<Held> {
        let now = self.clock.now();
        let tx = self.db.system_write(&Self::scope()).await?;
        let held = queries::end(&tx, hold, now, ending).await?;
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

/// What is kept of an error: its message and its cause, of bounded length, and without the NUL that PostgreSQL refuses.
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
    fn an_error_is_kept_with_its_cause_and_bounded() {
        let error = Error::internal("the \0cause");
        assert_eq!(describe(&error), "something went wrong on the server: the cause");
        let long = Error::internal("ö".repeat(5000));
        assert_eq!(describe(&long).chars().count(), ERROR_LENGTH);
    }
}
