//! The handle of this crate.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use loam_db::Db;
use loam_http::client::{Client, Timeouts};
use loam_identity::Identity;
use loam_jobs::{Handlers, Schedule};
use loam_journal::{Journal, Position};
use loam_kernel::{Clock, Result};
use loam_platform::changes::Changes;
use loam_platform::drain::Sink;
use loam_platform::notices::Notices;
use loam_platform::personal::Guard;
use loam_platform::records::RetentionSettings;
use loam_platform::seal::Keyring;
use loam_platform::system_config::Live;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;

use crate::catalog::Catalog;
use crate::hook::Conversations;
use crate::limits::meters::Meters;
use crate::llm_calls::DeleteOldCalls;
use crate::llm_calls::ledger::Ledger;
use crate::llm_calls::sink::CallSink;
use crate::proxy::cached::Answers;
use crate::{
    CallSettings, Config, ai_providers, limits, llm_calls, model_prices, model_routes, proxy, tool_calls,
    usage,
};

/// How often it is looked whether the journal has room.
const LOOK: Duration = Duration::from_millis(100);

/// Providers, prices, calls. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) catalog: Catalog,
    pub(crate) ledger: Ledger,
    pub(crate) meters: Meters,
    pub(crate) answers: Answers,
    pub(crate) config: Config,
    pub(crate) settings: Live<CallSettings>,
    /// How long calls and their bodies are kept.
    retention: OnceLock<Live<RetentionSettings>>,
    /// Where what is said in calls is kept.
    pub(crate) conversations: OnceLock<Arc<dyn Conversations>>,
    /// Calls under way, which a stopping server waits for.
    pub(crate) calls: TaskTracker,
}

/// What the gateway stands on.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Notices of change.
    pub notices: Notices,
    /// Who there is.
    pub identity: Identity,
    /// Opens providers' secrets.
    pub keyring: Keyring,
    /// The way out.
    pub client: Client,
    /// How long a provider may take, unless its own configuration says otherwise.
    pub timeouts: Timeouts,
    /// Where calls are acknowledged; none for the command line, which makes no calls.
    pub journal: Option<Journal>,
    /// Bytes that the journal may take on disk.
    pub journal_budget: u64,
    /// Settings.
    pub config: Config,
    /// Settings that can be changed while the server runs.
    pub settings: Live<CallSettings>,
}

impl Gateway {
    /// A gateway on a migrated database.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            db,
            clock,
            notices,
            identity,
            keyring,
            client,
            timeouts,
            journal,
            journal_budget,
            config,
            settings,
        } = parts;
        let meters = Meters::new(db.clone(), clock.clone(), journal.clone());
        let catalog = Catalog::new(db.clone(), keyring.clone(), timeouts, meters.clone(), &notices);
        let ledger = Ledger::new(journal, journal_budget, config.max_calls, clock.clone(), meters.clone());
        let answers = Answers::new(config.response_cache_bytes);
        let kept = answers.clone();
        notices.subscribe(move |notice| {
            if notice.topic == "erasures" {
                kept.forget(notice.tenant);
            }
        });
        let calls = TaskTracker::new();
        Self(Arc::new(Inner {
            changes: Changes::new(clock.clone(), notices),
            db,
            clock,
            identity,
            keyring,
            client,
            catalog,
            ledger,
            meters,
            answers,
            config,
            settings,
            retention: OnceLock::new(),
            conversations: OnceLock::new(),
            calls,
        }))
    }

    /// Says how long calls are kept; without it for ever.
    pub fn retain(&self, retention: Live<RetentionSettings>) {
        _ = self.0.retention.set(retention);
    }

    /// How long calls, and the turns that made them, are kept.
    pub fn retention(&self) -> Live<RetentionSettings> {
        self.0.retention()
    }

    /// What runs in the background, durably.
    pub fn jobs(&self, handlers: Handlers) -> Result<Handlers> {
        Ok(handlers
            .with(DeleteOldCalls::new(self.clone()))
            .every(Schedule::new(DeleteOldCalls::KIND, DeleteOldCalls::EVERY)?))
    }

    /// Reads every tenant's providers and prices, so that calls go on should the database go away.
    pub async fn preload(&self) -> Result<()> {
        self.0.catalog.preload().await
    }

    /// The routes of the resource API.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(ai_providers::routes::router(self.clone()))
            .merge(model_prices::routes::router(self.clone()))
            .merge(model_routes::routes::router(self.clone()))
            .merge(usage::routes::router(self.clone()))
            .merge(limits::routes::router(self.clone()))
            .merge(llm_calls::routes::router(self.clone()))
            .merge(tool_calls::routes::router(self.clone()))
    }

    /// The routes that speak OpenAI's and Anthropic's wire formats.
    pub fn proxy_router(&self) -> OpenApiRouter {
        proxy::routes::router(self.clone()).merge(proxy::messages::router(self.clone()))
    }

    /// What drains calls into the database.
    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(CallSink::new(self.0.clock.clone(), Guard::new(self.0.keyring.clone())))
    }

    /// Says where to look how far the drainer has come; limits are kept from then on.
    pub fn follow_drain(&self, drained: watch::Receiver<Position>) {
        self.0.meters.follow(drained);
    }

    /// Watches what other nodes use of the limits, until stopped.
    pub async fn watch_limits(self, stop: CancellationToken) {
        self.0.meters.clone().watch_others(stop).await;
    }

    /// Watches how full the journal is, until stopped: calls that have begun must find room to be settled.
    pub async fn watch_room(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            self.0.ledger.look_for_room();
        }
    }

    /// Waits until the calls under way have ended and are settled.
    pub async fn finish_calls(&self) {
        self.0.calls.close();
        self.0.calls.wait().await;
    }

    /// Calls under way.
    pub fn open_calls(&self) -> usize {
        self.0.calls.len()
    }
}

impl Inner {
    /// How long calls and what belongs to them is kept.
    pub(crate) fn retention(&self) -> Live<RetentionSettings> {
        self.retention.get().cloned().unwrap_or_default()
    }
}
