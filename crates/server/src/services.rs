//! Composition of the services.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use loam_conversation::Conversation;
use loam_db::{Db, EntityShape};
use loam_gateway::{Gateway, Parts};
use loam_http::client::Client;
use loam_identity::erasures::{DrainProgress, RunErasure};
use loam_identity::{Authenticator, Bootstrap, FirstKey, Identity};
use loam_insight::Insight;
use loam_jobs::{Handlers, Jobs, Runner, RunnerHandle};
use loam_journal::{DiskStorage, Journal};
use loam_kernel::{Clock, NodeId, Scope, TenantId};
use loam_platform::api_logs::{self, ApiLogSink, ApiLogs};
use loam_platform::audit_logs::{self, JobChanges};
use loam_platform::database;
use loam_platform::deleted;
use loam_platform::drain::{Drainer, Sink};
use loam_platform::error_logs::{self, ErrorLogSink, ErrorLogs};
use loam_platform::mail::Mailer;
use loam_platform::notices::Notices;
use loam_platform::personal::Guard;
use loam_platform::quarantine;
use loam_platform::records::{RETENTION, Records};
use loam_platform::seal::{Keyring, SealedTable};
use loam_platform::system_config::{self, Declaration, SystemConfig};
use loam_platform::webhook_deliveries::{self, WebhookDeliveries};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::config::Config;
use crate::error_tap;
use crate::file_modes;
use crate::limits;
use crate::maintenance;
use crate::memory;
use crate::personal;
use crate::surface::{self, Edge, Health};

/// The topic of change notices for the master keys.
pub(crate) const MASTER_KEY: &str = "master_key";

/// Every entity, in the order of the data dictionary.
pub fn entities() -> Vec<EntityShape> {
    let mut all = loam_identity::entities();
    all.extend(loam_conversation::entities());
    all.extend(loam_insight::entities());
    all.extend(loam_gateway::entities());
    all.extend(loam_jobs::entities());
    all.extend(loam_platform::entities());
    all.push(EntityShape::of::<loam_db::IdempotencyKeys>());
    all
}

/// Every table with values that are sealed under the master key.
pub fn sealed() -> Vec<Box<dyn SealedTable>> {
    let mut all = loam_identity::sealed();
    all.extend(loam_conversation::sealed());
    all.extend(loam_insight::sealed());
    all.extend(loam_gateway::sealed());
    all.extend(loam_platform::seal::sealed());
    all
}

/// Every key of the live configuration.
fn config_keys() -> loam_kernel::Result<Vec<Declaration>> {
    let mut all = loam_platform::config_keys()?;
    all.extend(loam_gateway::config_keys()?);
    all.extend(loam_conversation::config_keys()?);
    all.extend(loam_insight::config_keys()?);
    all.extend(limits::config_keys()?);
    Ok(all)
}

/// The services that both the server and the command line use.
pub(crate) struct Core {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) keyring: Keyring,
    pub(crate) system_config: SystemConfig,
    journal: Option<Journal>,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) conversation: Conversation,
    pub(crate) insight: Insight,
    deliveries: WebhookDeliveries,
}

impl Core {
    /// On a migrated database.
    pub(crate) async fn open(config: &Config, db: Db, journal: Option<Journal>) -> Result<Self> {
        let clock = Clock::system();
        let notices = Notices::default();
        let keyring = match &config.master_key {
            Some(text) => Keyring::parse(text)?,
            None => {
                let first = !loam_identity::has_tenants(&db).await?;
                Keyring::open(&config.data().join("master.key"), &clock, first)?
            }
        };
        let ring = keyring.clone();
        notices.subscribe(move |notice| {
            if notice.topic == MASTER_KEY
                && let Err(e) = ring.reload()
            {
                tracing::error!(error = %e, "the changed key file can't be read; the keys stay as they were");
            }
        });
        let core = Self::assemble(config, db, clock, notices, keyring, journal)?;
        core.identity.learn_default_tenant().await?;
        core.system_config.reload().await?;
        Ok(core)
    }

    /// Without a database, for the documentation.
    pub(crate) fn unconnected(config: &Config) -> Result<Self> {
        let keyring =
            Keyring::parse(&base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [0; 32]))?;
        Self::assemble(config, Db::unconnected(), Clock::system(), Notices::default(), keyring, None)
    }

    fn assemble(
        config: &Config,
        db: Db,
        clock: Clock,
        notices: Notices,
        keyring: Keyring,
        journal: Option<Journal>,
    ) -> Result<Self> {
        let outgoing = &config.outgoing;
        let system_config = SystemConfig::new(db.clone(), clock.clone(), notices.clone(), config_keys()?)?;
        limits::follow(&system_config)?;
        config.identity.check()?;
        let client = Client::new(outgoing)?;
        let identity = Identity::new(loam_identity::Parts {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            config: config.identity.clone(),
        });
        let gateway = Gateway::new(Parts {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            identity: identity.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            timeouts: outgoing.timeouts(),
            journal: journal.clone(),
            journal_budget: config.journal.disk_budget_bytes,
            config: config.gateway.clone(),
            settings: system_config.live(&loam_gateway::CALLS)?,
        });
        let deliveries = WebhookDeliveries::new(
            db.clone(),
            clock.clone(),
            system_config.live(&webhook_deliveries::DELIVERIES)?,
        );
        let conversation = Conversation::new(loam_conversation::Parts {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            identity: identity.clone(),
            gateway: gateway.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            journal: journal.clone(),
            turns: system_config.live(&loam_conversation::TURNS)?,
            context: system_config.live(&loam_conversation::CONTEXT)?,
            deliveries: deliveries.clone(),
            channels: system_config.live(&loam_conversation::channels::CHANNELS)?,
        });
        let insight = Insight::new(loam_insight::Parts {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            identity: identity.clone(),
            gateway: gateway.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            journal: journal.clone(),
            deliveries: deliveries.clone(),
            mailer: Mailer::new(
                &config.smtp,
                Client::new(&to_mail_server(outgoing))?,
                outgoing.ca_file.as_deref(),
            )?,
            alerts: system_config.live(&loam_insight::alert_rules::ALERT_RULES)?,
            otlp: system_config.live(&loam_insight::OTLP)?,
            metrics: system_config.live(&loam_insight::METRICS)?,
            rules: system_config.live(&loam_insight::rules::RULES)?,
            analysis: system_config.live(&loam_insight::analyses::ANALYSIS)?,
            storage: system_config.live(&loam_insight::STORAGE)?,
            ingest: system_config.live(&loam_insight::INGEST)?,
        });
        gateway.connect(Arc::new(conversation.clone()));
        identity.set_data_locations(personal::data_locations(&keyring, &clock));
        gateway.retain(system_config.live(&RETENTION)?);
        Ok(Self {
            db,
            clock,
            notices,
            keyring,
            system_config,
            journal,
            identity,
            gateway,
            conversation,
            insight,
            deliveries,
        })
    }

    /// The handlers of durable jobs.
    fn jobs(&self) -> Result<Handlers> {
        let handlers = maintenance::handlers(&self.db, &self.clock, &self.identity, &self.system_config)?;
        let handlers = handlers.with(RunErasure(self.identity.clone()));
        let handlers = self.gateway.jobs(self.deliveries.jobs(handlers)?)?;
        Ok(self.insight.jobs(self.conversation.jobs(handlers)?)?)
    }

    /// Every documented route but those of the instance.
    pub(crate) fn routes(&self) -> OpenApiRouter {
        let operators = self.identity.default_tenant().unwrap_or(TenantId::NIL);
        let jobs = Jobs::new(
            self.db.clone(),
            self.clock.clone(),
            Arc::new(JobChanges(self.clock.clone())),
            operators,
        );
        let (db, journal) = (&self.db, &self.journal);
        OpenApiRouter::with_openapi(crate::docs::base_document())
            .merge(self.gateway.proxy_router())
            .merge(self.identity.router())
            .merge(self.conversation.router())
            .merge(self.insight.router())
            .merge(self.deliveries.router())
            .merge(self.gateway.router())
            .merge(jobs.router())
            .merge(audit_logs::routes::router(db.clone()))
            .merge(quarantine::routes::router(db.clone()))
            .merge(system_config::routes::router(self.system_config.clone()))
            .merge(api_logs::routes::router(db.clone()))
            .merge(error_logs::routes::router(db.clone()))
            .merge(database::routes::router(db.clone(), journal.clone(), &self.notices))
    }
}

/// The mail server is configured by the operator, and no tenant can change it: it may be on this machine or a private
/// network, although tenants' own targets may not.
fn to_mail_server(outgoing: &loam_http::client::Config) -> loam_http::client::Config {
    loam_http::client::Config { allow_private: true, allow_loopback: true, ..outgoing.clone() }
}

/// A running server, without its listeners.
pub(crate) struct Services {
    pub(crate) edge: Edge,
    pub(crate) journal: Journal,
    pub(crate) health: Health,
    pub(crate) first_key: Option<FirstKey>,
    core: Core,
    authenticator: Arc<Authenticator>,
    runner: RunnerHandle,
    background: JoinSet<()>,
    stop_background: CancellationToken,
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
    pub(crate) async fn start(config: &Config) -> Result<Self> {
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
        let bootstrap =
            Bootstrap { key: config.bootstrap_key.clone(), password: config.bootstrap_password.clone() };
        let first_key = core.identity.bootstrap(bootstrap).await?;
        let authenticator = Authenticator::start(&core.identity).await?;

        let node = NodeId(Uuid::from_bytes(journal.id()));
        // leases belong to a process, not to a journal: this node's previous process may have left some
        let runner = Runner::start(db.clone(), clock.clone(), core.jobs()?, config.jobs.clone(), clock.id())?;
        core.deliveries.wake_with(runner.waker());
        let logs_of = ApiLogSink(Guard::new(core.keyring.clone()), clock.clone());
        let mut sinks: Vec<Arc<dyn Sink>> =
            vec![core.gateway.sink(), Arc::new(logs_of), Arc::new(ErrorLogSink)];
        sinks.extend(core.conversation.sinks());
        sinks.extend(core.insight.sinks());
        let drainer = Drainer::open(db.clone(), journal.clone(), clock.clone(), sinks).await?;
        let records = Records::new(journal.clone(), config.journal.disk_budget_bytes, clock.clone());
        let logs = ApiLogs::new(records.clone(), &core.system_config)?;
        let (errors, reports) = ErrorLogs::new(records.clone(), &core.system_config)?;
        error_tap::connect(errors.clone());
        let (stop_background, stop_drainer) = (CancellationToken::new(), CancellationToken::new());
        let mut background = JoinSet::new();
        let wait_until_drained = drainer.drained();
        core.identity
            .set_drain_progress(DrainProgress { journal: journal.clone(), drained: drainer.drained() });
        let first_call: Uuid = clock.id();
        let recovered = journal.recovery().end;
        let owners = (core.gateway.clone(), core.conversation.clone());
        let stop = stop_background.clone();
        background.spawn(async move {
            _ = stop
                .run_until_cancelled(orphans(owners, wait_until_drained, recovered, node, first_call))
                .await;
        });
        background.spawn(memory::give_back(stop_background.clone()));
        background.spawn(core.conversation.clone().watch_turns(stop_background.clone()));
        background.spawn(core.notices.clone().watch(db.clone(), clock.clone(), stop_background.clone()));
        background.spawn(core.gateway.clone().monitor_capacity(stop_background.clone()));
        background.spawn(core.gateway.clone().watch_limits(stop_background.clone()));
        background.spawn(core.conversation.clone().keep_warm(stop_background.clone()));
        background.spawn(core.insight.clone().write_activity_periodically(stop_background.clone()));
        background.spawn(core.system_config.clone().watch(stop_background.clone()));
        background.spawn(records.monitor_capacity(stop_background.clone()));
        let every = Duration::from_secs(config.journal.overwrite_seconds.max(1));
        background.spawn(deleted::overwrite_periodically(journal.clone(), every, stop_background.clone()));
        background.spawn(errors.run(reports, stop_background.clone()));
        background.spawn(last_used(authenticator.clone(), stop_background.clone()));
        let mut drainers = JoinSet::new();
        core.gateway.follow_drain(drainer.drained());
        drainers.spawn(drainer.run(stop_drainer.clone()));
        core.gateway.preload().await?;

        let health =
            Health::new(db.clone(), journal.clone(), core.gateway.clone(), core.notices.caches().clone());
        let edge = surface::edge(config, &core, authenticator.clone(), health.clone(), logs)?;
        Ok(Self {
            edge,
            journal,
            health,
            first_key,
            core,
            authenticator,
            runner,
            background,
            stop_background,
            stop_drainer,
            drainer: drainers,
        })
    }

    /// The gateway, whose calls the listeners wait for.
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.core.gateway
    }

    /// Conversations, whose turns the listeners wait for.
    pub(crate) fn conversation(&self) -> &Conversation {
        &self.core.conversation
    }

    /// Stops everything after the listeners have stopped: drains the journal and closes the database.
    pub(crate) async fn stop(mut self, deadline: Duration) {
        self.runner.stop(deadline).await;
        self.stop_background.cancel();
        while self.background.join_next().await.is_some() {}
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

/// After the journal of the previous run is drained, ends the turns and marks the calls that it left open.
async fn orphans(
    (gateway, conversation): (Gateway, Conversation),
    mut drained: tokio::sync::watch::Receiver<loam_journal::Position>,
    recovered: loam_journal::Position,
    node: NodeId,
    first_call: Uuid,
) {
    if drained.wait_for(|position| *position >= recovered).await.is_err() {
        return;
    }
    while let Err(e) = conversation.interrupt_turns(node, first_call).await {
        tracing::warn!(error = %e, "cannot look for turns that were under way when this node died; trying again");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    while let Err(e) = gateway.mark_orphans(node, first_call).await {
        tracing::warn!(error = %e, "cannot look for calls that were under way when this node died; trying again");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn last_used(authenticator: Arc<Authenticator>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(30))).await.is_some() {
        if let Err(e) = authenticator.write_last_used().await {
            tracing::debug!(error = %e, "cannot write when keys were last used");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_live_configuration_takes_its_own_default() {
        let keys = config_keys().expect("declared");
        assert!(keys.len() >= 7);
        for key in keys {
            key.verify().expect("a schema that takes the default");
        }
    }
}
