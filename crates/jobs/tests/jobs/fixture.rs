//! Databases, a clock and handlers for the tests.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_jobs::entity::{Entity, Model};
use loam_jobs::{Config, Handler, Handlers, JobContext, JobState, NewJob, Runner, RunnerHandle, enqueue};
use loam_kernel::{Clock, JobId, Result, Scope, TenantId};
use loam_testkit::Database;
use serde_json::Value;
use uuid::Uuid;

/// The tenant of most tests.
pub const ACME: TenantId = TenantId(Uuid::from_u128(0xac));

/// A migrated database and a fixed clock.
pub struct Fixture {
    pub db: Db,
    pub clock: Clock,
    _database: Database,
}

impl Fixture {
    pub fn on(database: Database) -> Self {
        let start: DateTime<Utc> = "2026-01-05T10:00:00Z".parse().unwrap();
        Self { db: database.db.clone(), clock: Clock::fixed(start), _database: database }
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(chrono::TimeDelta::seconds(seconds));
    }

    /// Enqueues in a transaction of its own.
    pub async fn enqueue(&self, job: NewJob<Value>) -> JobId {
        self.enqueue_for(ACME, job).await
    }

    /// The same for another tenant.
    pub async fn enqueue_for(&self, tenant: TenantId, job: NewJob<Value>) -> JobId {
        let tx = self.db.write(&Scope::system(tenant, "test")).await.unwrap();
        let id = enqueue(&tx, &self.clock, job).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Starts a node with a short polling interval.
    pub fn node(&self, handlers: Handlers) -> RunnerHandle {
        self.node_with(handlers, Config { poll_ms: 20, heartbeat_ms: 50, ..Config::default() })
    }

    pub fn node_with(&self, handlers: Handlers, config: Config) -> RunnerHandle {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        Runner::start(db, clock, handlers, config, Clock::system().id()).unwrap()
    }

    pub async fn job(&self, id: JobId) -> Model {
        self.job_of(ACME, id).await
    }

    pub async fn job_of(&self, tenant: TenantId, id: JobId) -> Model {
        let tx = self.db.read(&Scope::system(tenant, "test")).await.unwrap();
        tx.get::<Entity>(id).await.unwrap().unwrap()
    }

    /// Every row of a kind, of any tenant.
    pub async fn all_of(&self, kind: &str) -> Vec<Model> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        let rows = tx.find_any::<Entity>().all().await.unwrap();
        rows.into_iter().filter(|row| row.kind == kind).collect()
    }

    /// Waits until the job is in this state.
    pub async fn until(&self, id: JobId, state: JobState) -> Model {
        for _ in 0..1000 {
            let job = self.job(id).await;
            if job.state == state {
                return job;
            }
            pause(10).await;
        }
        panic!("the job did not reach {state:?}: {:?}", self.job(id).await);
    }
}

pub async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Waits until the condition holds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        pause(10).await;
    }
    panic!("timed out waiting until {what}");
}

/// A handler made of a closure.
pub struct FnHandler<F>(pub &'static str, pub F);

#[async_trait]
impl<F, Done> Handler for FnHandler<F>
where
    F: Fn(JobContext, Value) -> Done + Send + Sync,
    Done: Future<Output = Result<()>> + Send,
{
    fn kind(&self) -> &'static str {
        self.0
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        (self.1)(job.clone(), payload).await
    }
}

/// The same handler as a kind whose runs mostly wait.
pub struct WaitingHandler<H>(pub H);

#[async_trait]
impl<H: Handler> Handler for WaitingHandler<H> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn waits(&self) -> bool {
        true
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        self.0.run(job, payload).await
    }
}

/// Makes two tests of each body, one per database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on {
            $(pub(super) async fn $name(database: loam_testkit::Database) {
                super::$name($crate::fixture::Fixture::on(database)).await;
            })*
            loam_testkit::on_both![$($name),*];
        }
    };
}

pub(crate) use on_both;
