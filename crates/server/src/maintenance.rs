//! What the instance does by itself, as durable jobs.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_db::Db;
use loam_identity::Identity;
use loam_identity::signing_keys::RotateSigningKeys;
use loam_jobs::{Handler, Handlers, JobContext, Schedule};
use loam_kernel::{Clock, Result};
use loam_platform::notices;
use serde_json::Value;

/// How long an `Idempotency-Key` is remembered.
const REMEMBER_ANSWERS: TimeDelta = TimeDelta::hours(24);

const PARTITIONS: &str = "db.ensure_partitions";
const FORGET: &str = "db.forget_old";

/// The instance's own jobs.
pub(crate) fn handlers(db: &Db, clock: &Clock, identity: &Identity) -> Result<Handlers> {
    Ok(Handlers::new()
        .with(EnsurePartitions { db: db.clone(), clock: clock.clone() })
        .with(ForgetOld { db: db.clone(), clock: clock.clone() })
        .with(RotateSigningKeys(identity.clone()))
        .every(Schedule::new(PARTITIONS, Duration::from_hours(24))?)
        .every(Schedule::new(FORGET, Duration::from_hours(1))?)
        .every(Schedule::new(RotateSigningKeys::KIND, Duration::from_hours(1))?))
}

/// Makes the coming months' partitions.
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

/// Deletes answers kept for idempotency and notices of change that nobody needs any more.
struct ForgetOld {
    db: Db,
    clock: Clock,
}

#[async_trait]
impl Handler for ForgetOld {
    fn kind(&self) -> &'static str {
        FORGET
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        self.db.forget_answers(&job.scope(), self.clock.now() - REMEMBER_ANSWERS).await?;
        notices::forget_old(&self.db, &self.clock, &job.scope()).await?;
        Ok(())
    }
}
