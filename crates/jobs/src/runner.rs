//! The loop that claims due jobs and runs them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loam_db::Db;
use loam_kernel::{Clock, JobId, NodeId, Result, TenantId};
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::handler::Handlers;
use crate::queries::{self, Claimed};
use crate::retention::{self, DeleteFinished};
use crate::round_robin::RoundRobin;
use crate::run::Worker;
use crate::schedule::{Schedule, Scheduler};

/// How long releasing leases may take after the deadline of a stop.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval of measuring the queue length.
const MEASURE_INTERVAL: Duration = Duration::from_secs(15);

/// Runs jobs on this node.
#[derive(Debug)]
pub struct Runner;

/// Wakes a runner. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Polls the queue now. Call it after the commit that enqueued the job: before, the job is not visible.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// A started runner. If it is dropped without [`RunnerHandle::stop`], the effect is that of a crash: the jobs
/// run again when their leases have expired.
#[derive(Debug)]
pub struct RunnerHandle {
    wake: Wake,
    closing: CancellationToken,
    release: CancellationToken,
    main: JoinSet<()>,
}

impl Runner {
    /// Starts a runner on the current runtime. `node` must be unique to this process: it identifies the owner
    /// of a lease.
    pub fn start(
        db: Db,
        clock: Clock,
        handlers: Handlers,
        config: Config,
        node: NodeId,
    ) -> Result<RunnerHandle> {
        config.check()?;
        let handlers = handlers
            .with(DeleteFinished { db: db.clone(), clock: clock.clone() })
            .every(Schedule::new(retention::KIND, retention::INTERVAL)?);
        let (wake, closing, release) = (Wake::default(), CancellationToken::new(), CancellationToken::new());
        let queue = Queue {
            kinds: handlers.kinds(false),
            waiting_kinds: handlers.kinds(true),
            scheduler: Scheduler::new(Schedule::configured(&handlers.schedules, &config.schedule_seconds)?),
            worker: Arc::new(Worker { db, clock, handlers, config, node, release: release.clone() }),
            running: JoinSet::new(),
            ids: HashMap::new(),
            round_robin: RoundRobin::default(),
            measured: None,
            healthy: true,
        };
        let mut main = JoinSet::new();
        main.spawn(queue.run(wake.clone(), closing.clone()));
        Ok(RunnerHandle { wake, closing, release, main })
    }
}

impl RunnerHandle {
    /// Polls the queue now; see [`Wake::wake`].
    pub fn wake(&self) {
        self.wake.wake();
    }

    /// A handle for others to wake this runner.
    pub fn waker(&self) -> Wake {
        self.wake.clone()
    }

    /// Claims no more jobs, waits for running ones until the deadline, then stops the rest and releases their
    /// leases: they return to the queue, and the run does not count as an attempt.
    pub async fn stop(mut self, deadline: Duration) {
        self.closing.cancel();
        if timeout(deadline, self.main.join_next()).await.is_ok() {
            return;
        }
        self.release.cancel();
        if timeout(RELEASE_TIMEOUT, self.main.join_next()).await.is_err() {
            tracing::warn!("some jobs could not be released; they run again when their leases have expired");
        }
    }
}

struct Queue {
    kinds: Vec<&'static str>,
    /// Kinds whose runs mostly wait for other services.
    waiting_kinds: Vec<&'static str>,
    scheduler: Scheduler,
    worker: Arc<Worker>,
    running: JoinSet<()>,
    ids: HashMap<Id, Running>,
    round_robin: RoundRobin,
    measured: Option<Instant>,
    healthy: bool,
}

/// A job that runs on this node.
struct Running {
    id: JobId,
    tenant: TenantId,
    /// Whether its kind mostly waits.
    waits: bool,
}

impl Queue {
    async fn run(mut self, wake: Wake, closing: CancellationToken) {
        while !closing.is_cancelled() {
            let result = self.tick().await;
            self.report(result);
            tokio::select! {
                () = closing.cancelled() => {}
                () = wake.0.notified() => {}
                () = sleep(self.worker.config.poll()) => {}
                Some(done) = self.running.join_next_with_id() => {
                    self.forget(done.map_or_else(|e| e.id(), |(id, ())| id));
                }
            }
            while let Some(done) = self.running.try_join_next_with_id() {
                self.forget(done.map_or_else(|e| e.id(), |(id, ())| id));
            }
        }
        while self.running.join_next().await.is_some() {}
    }

    fn forget(&mut self, id: Id) {
        self.ids.remove(&id);
    }

    /// Logs only when the queue becomes unreachable, and when it is reachable again.
    fn report(&mut self, result: Result<()>) {
        match result {
            Err(error) if self.healthy => {
                tracing::warn!(%error, "the job queue is unreachable; retrying");
                self.healthy = false;
            }
            Ok(()) if !self.healthy => {
                tracing::info!("the job queue is reachable again");
                self.healthy = true;
            }
            _ => {}
        }
    }

    /// Enqueues due schedules, starts due jobs and measures the queue.
    async fn tick(&mut self) -> Result<()> {
        // A failing schedule does not block other jobs.
        let scheduled = self.scheduler.enqueue_due(&self.worker.db, &self.worker.clock).await;
        self.start_due().await?;
        self.measure().await?;
        scheduled
    }

    /// Claims as many jobs as there are free slots, and starts them.
    async fn start_due(&mut self) -> Result<()> {
        self.start(false).await?;
        self.start(true).await
    }

    /// The same for kinds whose runs mostly wait, or for the others.
    async fn start(&mut self, waits: bool) -> Result<()> {
        let running = || self.ids.values().filter(|running| running.waits == waits);
        let room = self.worker.config.slots(waits).all.saturating_sub(running().count());
        let kinds = if waits { &self.waiting_kinds } else { &self.kinds };
        if room == 0 || kinds.is_empty() {
            return Ok(());
        }
        let mut of_tenants: HashMap<TenantId, usize> = HashMap::new();
        running().for_each(|running| *of_tenants.entry(running.tenant).or_default() += 1);
        // Read before the database's time, so that the lease never expires later here than there.
        let lease_end = Instant::now() + self.worker.config.lease();
        let claimed = self.claim(waits, room, of_tenants).await?;
        for job in claimed.exhausted {
            tracing::error!(job.id = %job.id, job.kind, "job failed permanently: the lease of its last attempt expired");
        }
        for job in claimed.runnable {
            let running = Running { id: job.id, tenant: job.tenant_id, waits };
            let task = self.running.spawn(self.worker.clone().run(job, lease_end));
            self.ids.insert(task.id(), running);
        }
        Ok(())
    }

    /// Claims jobs of the tenants round-robin.
    async fn claim(
        &mut self,
        waits: bool,
        mut room: usize,
        mut running: HashMap<TenantId, usize>,
    ) -> Result<Claimed> {
        let Worker { db, clock, config, node, .. } = &*self.worker;
        let kinds = if waits { &self.waiting_kinds } else { &self.kinds };
        let each = config.slots(waits).each;
        // A job whose lease expired while its run continues on this node is left to other nodes until the run
        // has ended.
        let running_here: Vec<JobId> = self.ids.values().map(|running| running.id).collect();
        let now = clock.now();
        let tx = db.system_read(&Worker::scope()).await?;
        let mut tenants = queries::tenants_due(&tx, kinds, &running_here, now).await?;
        drop(tx);
        let mut all = Claimed::default();
        if self.round_robin.divide(&tenants, &running, each, room).is_empty() {
            return Ok(all);
        }
        let tx = db.system_write(&Worker::scope()).await?;
        loop {
            let shares = self.round_robin.divide(&tenants, &running, each, room);
            if shares.is_empty() {
                break;
            }
            for (tenant, slots) in shares {
                let one = (tenant, slots);
                let claimed =
                    queries::claim(&tx, kinds, &running_here, (*node, config.lease()), now, one).await?;
                let found = claimed.runnable.len() + claimed.exhausted.len();
                *running.entry(tenant).or_default() += claimed.runnable.len();
                room = room.saturating_sub(claimed.runnable.len());
                self.round_robin.served(tenant);
                all.runnable.extend(claimed.runnable);
                all.exhausted.extend(claimed.exhausted);
                // It has no more due jobs, or another node claimed them: the remaining slots go to other
                // tenants.
                if found < slots {
                    tenants.retain(|other| *other != tenant);
                }
            }
        }
        tx.commit().await?;
        Ok(all)
    }

    async fn measure(&mut self) -> Result<()> {
        if self.measured.is_some_and(|at| at.elapsed() < MEASURE_INTERVAL) {
            return Ok(());
        }
        let tx = self.worker.db.system_read(&Worker::scope()).await?;
        let waiting = queries::waiting(&tx, self.worker.clock.now()).await?;
        // A float counts any realistic number of jobs exactly.
        metrics::gauge!("loam_jobs_queue_depth").set(waiting as f64);
        self.measured = Some(Instant::now());
        Ok(())
    }
}
