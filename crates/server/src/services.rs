//! The running services: everything of a server but its listeners.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use loam_conversation::Conversation;
use loam_db::Db;
use loam_gateway::Proxy;
use loam_identity::erasures::DrainProgress;
use loam_identity::{Authenticator, BootstrapOptions, GeneratedCredentials};
use loam_jobs::{Runner, RunnerHandle};
use loam_journal::{DiskStorage, Journal, Position};
use loam_kernel::{Clock, NodeId, Scope, TenantId};
use loam_platform::api_logs::ApiLogs;
use loam_platform::domain::{Domain, Tasks};
use loam_platform::drain::Drainer;
use loam_platform::error_logs::ErrorLogs;
use loam_platform::records::Records;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::composition::Core;
use crate::config::Config;
use crate::error_tap;
use crate::file_modes;
use crate::surface::{self, Edge, Health};

/// A running server, without its listeners.
pub(crate) struct Services {
    pub(crate) edge: Edge,
    pub(crate) journal: Journal,
    pub(crate) health: Health,
    pub(crate) generated_credentials: Option<GeneratedCredentials>,
    core: Core,
    authenticator: Arc<Authenticator>,
    runner: RunnerHandle,
    tasks: Tasks,
    stop_drainer: CancellationToken,
    drainer: JoinSet<()>,
}

/// Opens the journal, which also locks the data folder against a second server.
pub(crate) fn open_journal(config: &Config) -> Result<Journal> {
    let data = config.data();
    file_modes::data_folder(data)?;
    let mut settings = loam_journal::Config::new(data.join("journal"));
    settings.segment_bytes = config.journal.segment_bytes;
    settings.disk_budget_bytes = config.journal.disk_budget_bytes;
    settings.memory_budget_bytes = config.journal.memory_budget_bytes;
    settings.spare_segments = 1;
    let id = || Clock::system().id::<Uuid>().into_bytes();
    Journal::open(settings, Arc::new(DiskStorage), id).map_err(|e| match e {
        loam_journal::JournalError::Locked(_) => {
            anyhow::anyhow!("another `loam serve` is using the data folder {}; stop it, or name another folder with --data", data.display())
        }
        e => anyhow::Error::new(e).context("cannot open the journal"),
    })
}

impl Services {
    /// Starts everything but the listeners.
    pub(crate) async fn start(config: &Config, fresh: bool) -> Result<Self> {
        let journal = open_journal(config)?;
        let db = Db::connect(&config.database, config.data()).await?;
        for name in db.migrate().await? {
            tracing::info!(migration = name, "applied a migration");
        }
        let clock = Clock::system();
        db.ensure_partitions(&Scope::system(TenantId::NIL, "start"), clock.now()).await?;
        // a missing login is logged now, not at the first request
        db.containment().await?;
        let core = Core::open(config, db.clone(), Some(journal.clone())).await?;
        let file = config.data().join("loam.db");
        ensure!(
            fresh
                || config.database.url.is_none()
                || !file.exists()
                || !loam_identity::is_first_start(&core.db).await?,
            "the PostgreSQL database is empty, but {} holds the data of earlier starts on SQLite, which Loam does not \
             move; name another folder with --data, or add --fresh to begin with the empty database",
            file.display()
        );
        let bootstrap = BootstrapOptions {
            api_key: config.bootstrap_key.clone(),
            password: config.bootstrap_password.clone(),
        };
        let generated_credentials = core.identity.bootstrap(bootstrap).await?;
        let authenticator = Authenticator::start(&core.identity).await?;

        let node = NodeId(Uuid::from_bytes(journal.id()));
        // leases belong to a process, not to a journal: this node's previous process may have left some
        let runner = Runner::start(db.clone(), clock.clone(), core.jobs()?, config.jobs.clone(), clock.id())?;
        core.deliveries.wake_with(runner.waker());
        let domains = core.domains();
        // lower floors first: what an application reports is compared with the gateway's own calls
        let sinks = domains.iter().rev().flat_map(|domain| domain.sinks()).collect();
        let drainer = Drainer::open(db.clone(), journal.clone(), clock.clone(), sinks).await?;
        let records = Records::new(journal.clone(), config.journal.disk_budget_bytes, clock.clone());
        let logs = ApiLogs::new(records.clone(), &core.system_config)?;
        let (errors, reports) = ErrorLogs::new(records.clone(), &core.system_config)?;
        error_tap::connect(errors.clone());
        core.identity
            .set_drain_progress(DrainProgress { journal: journal.clone(), drained: drainer.drained() });
        let recovery = Recovery {
            domains: domains.to_vec(),
            drained: drainer.drained(),
            end: journal.recovery().end,
            node,
            start: clock.id(),
        };
        let mut tasks = Tasks::default();
        tasks.spawn(|stop| async move { _ = stop.run_until_cancelled(recovery.run()).await });
        for domain in &domains {
            domain.start(&mut tasks);
        }
        tasks.spawn(|stop| records.monitor_capacity(stop));
        tasks.spawn(|stop| errors.run(reports, stop));
        tasks.spawn(|stop| write_last_used(authenticator.clone(), stop));
        let stop_drainer = CancellationToken::new();
        let mut drainers = JoinSet::new();
        core.gateway.follow_drain(drainer.drained());
        drainers.spawn(drainer.run(stop_drainer.clone()));
        core.gateway.preload().await?;

        let health = Health::new(
            db.clone(),
            journal.clone(),
            core.gateway.proxy().clone(),
            core.notices.caches().clone(),
        );
        let edge = surface::edge(config, &core, authenticator.clone(), health.clone(), logs)?;
        Ok(Self {
            edge,
            journal,
            health,
            generated_credentials,
            core,
            authenticator,
            runner,
            tasks,
            stop_drainer,
            drainer: drainers,
        })
    }

    /// Makes the calls that the listeners wait for.
    pub(crate) fn proxy(&self) -> &Proxy {
        self.core.gateway.proxy()
    }

    /// Conversations, whose turns the listeners wait for.
    pub(crate) fn conversation(&self) -> &Conversation {
        &self.core.conversation
    }

    /// Stops everything after the listeners have stopped: drains the journal and closes the database.
    pub(crate) async fn stop(mut self, deadline: Duration) {
        self.runner.stop(deadline).await;
        self.tasks.stop().await;
        if let Err(e) = self.authenticator.write_last_used().await {
            tracing::debug!(error = %e, "cannot write when keys were last used");
        }
        self.stop_drainer.cancel();
        _ = tokio::time::timeout(deadline, self.drainer.join_next()).await;
        self.drainer.abort_all();
        let journal = self.journal.clone();
        if let Ok(Err(e)) = tokio::task::spawn_blocking(move || journal.close()).await {
            tracing::error!(error = %e, "closing the journal failed");
        }
        self.core.db.close().await;
    }
}

/// Ends what the previous process of this node left in progress.
struct Recovery {
    domains: Vec<Arc<dyn Domain>>,
    drained: watch::Receiver<Position>,
    /// The end of the previous process's journal.
    end: Position,
    node: NodeId,
    /// Everything created before this id is the previous process's.
    start: Uuid,
}

impl Recovery {
    async fn run(mut self) {
        if self.drained.wait_for(|position| *position >= self.end).await.is_err() {
            return;
        }
        for domain in self.domains {
            while let Err(e) = domain.recover(self.node, self.start).await {
                tracing::warn!(error = %e, "cannot end what was in progress when this node stopped; retrying");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn write_last_used(authenticator: Arc<Authenticator>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(30))).await.is_some() {
        if let Err(e) = authenticator.write_last_used().await {
            tracing::debug!(error = %e, "cannot write when keys were last used");
        }
    }
}
