//! Durable jobs for the maintenance of the instance.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_db::Db;
use loam_jobs::{Handler, Handlers, JobContext, Schedule};
use loam_kernel::{Clock, Result};
use loam_platform::notices;
use loam_platform::system_config::LiveConfig;
use serde_json::Value;

use crate::limits::IdempotencyLimits;

const PARTITIONS: &str = "db.ensure_partitions";
const DELETE_OLD: &str = "db.forget_old";
const TRUNCATE: &str = "db.truncate_log";

/// The instance's own jobs.
pub(crate) fn handlers(db: &Db, clock: &Clock, limits: LiveConfig<IdempotencyLimits>) -> Result<Handlers> {
    Ok(Handlers::new()
        .with(EnsurePartitions { db: db.clone(), clock: clock.clone() })
        .every(Schedule::new(PARTITIONS, Duration::from_hours(24))?)
        .with(TruncateLog(db.clone()))
        .every(Schedule::new(TRUNCATE, Duration::from_hours(1))?)
        .with(DeleteOld { db: db.clone(), clock: clock.clone(), limits })
        .every(Schedule::new(DELETE_OLD, Duration::from_hours(1))?))
}

/// Creates the partitions of the coming months.
struct EnsurePartitions {
    db: Db,
    clock: Clock,
}

#[async_trait]
impl Handler for EnsurePartitions {
    fn kind(&self) -> &'static str {
        PARTITIONS
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let made = self.db.ensure_partitions(&job.scope(), self.clock.now()).await?;
        if made > 0 {
            tracing::info!(partitions = made, "made partitions for the coming months");
        }
        Ok(())
    }
}

/// Truncates SQLite's write-ahead log, which contains deleted data until it is overwritten.
struct TruncateLog(Db);

#[async_trait]
impl Handler for TruncateLog {
    fn kind(&self) -> &'static str {
        TRUNCATE
    }

    async fn run(&self, _: &JobContext, _: Value) -> Result<()> {
        // an open reader is not a failure: the next run retries
        self.0.truncate_log().await.map(drop)
    }
}

/// Deletes expired idempotency keys and change notices.
struct DeleteOld {
    db: Db,
    clock: Clock,
    limits: LiveConfig<IdempotencyLimits>,
}

#[async_trait]
impl Handler for DeleteOld {
    fn kind(&self) -> &'static str {
        DELETE_OLD
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let remembered = TimeDelta::hours(i64::from(self.limits.get().remember_hours));
        self.db.delete_old_responses(&job.scope(), self.clock.now() - remembered).await?;
        notices::delete_old(&self.db, &self.clock, &job.scope()).await?;
        Ok(())
    }
}
