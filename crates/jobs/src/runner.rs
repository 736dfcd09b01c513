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
use crate::rounds::Rounds;
use crate::run::Worker;
use crate::schedule::{Schedule, Scheduler};

/// How long giving leases back may take once the deadline of a stop has passed.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// How often the length of the queue is measured.
const MEASURE: Duration = Duration::from_secs(15);

/// Runs jobs on this node.
#[derive(Debug)]
pub struct Runner;

/// Tells a runner that there is a new job. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Looks at the queue now. To be called after the commit that enqueued the job: before it there is nothing to see.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// A runner at work. Dropped without [`RunnerHandle::stop`] it leaves everything as a crash would: the jobs run again
/// when their leases have ended.
#[derive(Debug)]
pub struct RunnerHandle {
    wake: Wake,
    closing: CancellationToken,
    give_back: CancellationToken,
    main: JoinSet<()>,
}

impl Runner {
    /// Starts on the current runtime. `node` must be this process's alone: leases are told apart by it.
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
            .every(Schedule::new(retention::KIND, retention::EVERY)?);
        let (wake, closing, give_back) =
            (Wake::default(), CancellationToken::new(), CancellationToken::new());
        let queue = Queue {
            kinds: handlers.kinds(false),
            waiting_kinds: handlers.kinds(true),
            scheduler: Scheduler::new(handlers.schedules.clone()),
            worker: Arc::new(Worker { db, clock, handlers, config, node, give_back: give_back.clone() }),
            running: JoinSet::new(),
            ids: HashMap::new(),
            rounds: Rounds::default(),
            measured: None,
            healthy: true,
        };
        let mut main = JoinSet::new();
        main.spawn(queue.serve(wake.clone(), closing.clone()));
        Ok(RunnerHandle { wake, closing, give_back, main })
    }
}

impl RunnerHandle {
    /// Looks at the queue now; see [`Wake::wake`].
    pub fn wake(&self) {
        self.wake.wake();
    }

    /// What others call to wake this runner.
    pub fn waker(&self) -> Wake {
        self.wake.clone()
    }

    /// Claims no more, waits for what runs until the deadline, then stops the rest and gives their leases back: they are
    /// queued again, and the run doesn't count as an attempt.
    pub async fn stop(mut self, deadline: Duration) {
        self.closing.cancel();
        if timeout(deadline, self.main.join_next()).await.is_ok() {
            return;
        }
        self.give_back.cancel();
        if timeout(GIVE_BACK, self.main.join_next()).await.is_err() {
            tracing::warn!("some jobs could not be given back; they run again when their leases have ended");
        }
    }
}

struct Queue {
    kinds: Vec<&'static str>,
    /// Kinds whose runs mostly wait for others.
    waiting_kinds: Vec<&'static str>,
    scheduler: Scheduler,
    worker: Arc<Worker>,
    running: JoinSet<()>,
    ids: HashMap<Id, Running>,
    rounds: Rounds,
    measured: Option<Instant>,
    healthy: bool,
}

/// A job that runs here.
struct Running {
    id: JobId,
    tenant: TenantId,
    /// Whether it mostly waits.
    waits: bool,
}

impl Queue {
    async fn serve(mut self, wake: Wake, closing: CancellationToken) {
        while !closing.is_cancelled() {
            let result = self.turn().await;
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

    /// Logs only when the queue goes out of reach, and when it is back.
    fn report(&mut self, result: Result<()>) {
        match result {
            Err(error) if self.healthy => {
                tracing::warn!(%error, "the job queue can't be reached; trying again");
                self.healthy = false;
            }
            Ok(()) if !self.healthy => {
                tracing::info!("the job queue can be reached again");
                self.healthy = true;
            }
            _ => {}
        }
    }

    /// Sees to what is due.
    async fn turn(&mut self) -> Result<()> {
        // a schedule that can't be seen to holds up no other job
        let scheduled = self.scheduler.enqueue_due(&self.worker.db, &self.worker.clock).await;
        self.start_due().await?;
        self.measure().await?;
        scheduled
    }

    /// Claims as many jobs as there is room for, and starts them.
    async fn start_due(&mut self) -> Result<()> {
        self.start(false).await?;
        self.start(true).await
    }

    /// The same for kinds whose runs mostly wait, or for the others.
    async fn start(&mut self, waits: bool) -> Result<()> {
        let running = || self.ids.values().filter(|running| running.waits == waits);
        let room = self.worker.config.places(waits).all.saturating_sub(running().count());
        let kinds = if waits { &self.waiting_kinds } else { &self.kinds };
        if room == 0 || kinds.is_empty() {
            return Ok(());
        }
        let mut of_tenants: HashMap<TenantId, usize> = HashMap::new();
        running().for_each(|running| *of_tenants.entry(running.tenant).or_default() += 1);
        // taken before the database's time, so that the lease never ends later here than there
        let lease_end = Instant::now() + self.worker.config.lease();
        let claimed = self.claim(waits, room, of_tenants).await?;
        for job in claimed.spent {
            tracing::error!(job.id = %job.id, job.kind, "job failed for good: the lease of its last attempt ran out");
        }
        for job in claimed.live {
            let running = Running { id: job.id, tenant: job.tenant_id, waits };
            let task = self.running.spawn(self.worker.clone().run(job, lease_end));
            self.ids.insert(task.id(), running);
        }
        Ok(())
    }

    /// Claims jobs of the tenants in turn.
    async fn claim(
        &mut self,
        waits: bool,
        mut room: usize,
        mut running: HashMap<TenantId, usize>,
    ) -> Result<Claimed> {
        let Worker { db, clock, config, node, .. } = &*self.worker;
        let kinds = if waits { &self.waiting_kinds } else { &self.kinds };
        let each = config.places(waits).each;
        // a lease that ran out while its run goes on here is left to others until that run has gone
        let here: Vec<JobId> = self.ids.values().map(|running| running.id).collect();
        let now = clock.now();
        let tx = db.system_read(&Worker::scope()).await?;
        let mut tenants = queries::tenants_due(&tx, kinds, &here, now).await?;
        drop(tx);
        let mut all = Claimed::default();
        if self.rounds.divide(&tenants, &running, each, room).is_empty() {
            return Ok(all);
        }
        let tx = db.system_write(&Worker::scope()).await?;
        loop {
            let shares = self.rounds.divide(&tenants, &running, each, room);
            if shares.is_empty() {
                break;
            }
            for (tenant, places) in shares {
                let one = (tenant, places);
                let claimed = queries::claim(&tx, kinds, &here, (*node, config.lease()), now, one).await?;
                let found = claimed.live.len() + claimed.spent.len();
                *running.entry(tenant).or_default() += claimed.live.len();
                room = room.saturating_sub(claimed.live.len());
                self.rounds.served(tenant);
                all.live.extend(claimed.live);
                all.spent.extend(claimed.spent);
                // it has no more, or another node has it: what is left goes to the others
                if found < places {
                    tenants.retain(|other| *other != tenant);
                }
            }
        }
        tx.commit().await?;
        Ok(all)
    }

    async fn measure(&mut self) -> Result<()> {
        if self.measured.is_some_and(|at| at.elapsed() < MEASURE) {
            return Ok(());
        }
        let tx = self.worker.db.system_read(&Worker::scope()).await?;
        let waiting = queries::waiting(&tx, self.worker.clock.now()).await?;
        // no one has so many jobs that a float can't count them
        metrics::gauge!("loam_jobs_queue_depth").set(waiting as f64);
        self.measured = Some(Instant::now());
        Ok(())
    }
}
