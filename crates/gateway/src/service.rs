//! The handle of this crate.

use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use loam_db::Db;
use loam_http::client::{Client, Timeouts};
use loam_identity::Identity;
use loam_journal::{Journal, Position};
use loam_kernel::{Clock, Result, TenantId};
use loam_platform::changes::Changes;
use loam_platform::notices::Notices;
use loam_platform::records::RetentionSettings;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::Catalog;
use crate::hook::ConversationHook;
use crate::limits::meters::Meters;
use crate::llm_calls::ledger::Ledger;
use crate::llm_calls::refusals::Refusals;
use crate::proxy::response_cache::ResponseCache;
use crate::{CallSettings, Config};

/// How often the journal's free capacity is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How often refused calls are written.
const REFUSALS_INTERVAL: Duration = Duration::from_millis(250);

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
    pub(crate) refusals: Refusals,
    pub(crate) meters: Meters,
    pub(crate) response_cache: ResponseCache,
    pub(crate) config: Config,
    pub(crate) settings: LiveConfig<CallSettings>,
    /// How long calls and their bodies are stored.
    retention: OnceLock<LiveConfig<RetentionSettings>>,
    /// Listeners to calls that name a conversation.
    pub(crate) hooks: RwLock<Vec<Arc<dyn ConversationHook>>>,
    /// Calls in progress, which a stopping server waits for.
    pub(crate) calls: TaskTracker,
}

/// The dependencies of the gateway.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Change notices.
    pub notices: Notices,
    /// Tenants, users, keys and projects.
    pub identity: Identity,
    /// Unseals providers' secrets.
    pub keyring: Keyring,
    /// The client for outgoing requests.
    pub client: Client,
    /// Default timeouts of providers.
    pub timeouts: Timeouts,
    /// The journal that acknowledges calls; none for the command line, which makes no calls.
    pub journal: Option<Journal>,
    /// Maximum bytes of the journal on disk.
    pub journal_budget: u64,
    /// Settings.
    pub config: Config,
    /// Settings that can change at run time.
    pub settings: LiveConfig<CallSettings>,
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
        let response_cache = ResponseCache::new(config.response_cache_bytes);
        let cache = response_cache.clone();
        notices.subscribe(move |notice| {
            if notice.topic == "erasures" {
                cache.remove_tenant(notice.tenant);
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
            refusals: Refusals::default(),
            meters,
            response_cache,
            config,
            settings,
            retention: OnceLock::new(),
            hooks: RwLock::default(),
            calls,
        }))
    }

    /// Sets the retention of calls; without it they are stored forever.
    pub fn retain(&self, retention: LiveConfig<RetentionSettings>) {
        _ = self.0.retention.set(retention);
    }

    /// The retention of calls, and of the turns that made them.
    pub fn retention(&self) -> LiveConfig<RetentionSettings> {
        self.0.retention()
    }

    /// Loads every tenant's providers and prices, so that calls continue if the database becomes unavailable.
    pub async fn preload(&self) -> Result<()> {
        self.0.catalog.preload().await
    }

    /// Sets the source of the drainer's position; limits are enforced from then on.
    pub fn follow_drain(&self, drained: watch::Receiver<Position>) {
        self.0.meters.follow(drained);
    }

    /// Monitors the journal's free capacity, until stopped: calls that have started must be able to settle.
    pub(crate) async fn monitor_capacity(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_some() {
            self.0.ledger.update_capacity();
        }
    }

    /// Writes refused calls, until stopped.
    pub(crate) async fn write_refusals(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(REFUSALS_INTERVAL)).await.is_some() {
            self.0.write_refusals();
        }
    }

    /// Waits until the calls in progress have ended and are settled, and writes those that were refused.
    pub async fn finish_calls(&self) {
        self.0.calls.close();
        self.0.calls.wait().await;
        self.0.write_refusals();
    }

    /// The number of calls in progress.
    pub fn open_calls(&self) -> usize {
        self.0.calls.len()
    }
}

impl Inner {
    fn write_refusals(&self) {
        let now = self.clock.now().timestamp_micros();
        if let Err(e) = self.refusals.write(now, |record| self.ledger.append_refusal(record)) {
            tracing::debug!(error = %e, "refused calls can't be recorded at the moment; retried");
        }
    }

    /// The retention of calls and their data.
    pub(crate) fn retention(&self) -> LiveConfig<RetentionSettings> {
        self.retention.get().cloned().unwrap_or_default()
    }

    /// The maximum bytes recorded of a body.
    pub(crate) fn max_recorded_body_bytes(&self, tenant: TenantId) -> usize {
        let recorded = self.config.record_bodies
            && self.settings.with(tenant, |settings| settings.record_bodies.unwrap_or(true));
        if recorded { self.config.record_max_bytes } else { 0 }
    }

    /// Tokens reserved for a response that its request doesn't bound.
    pub(crate) fn expected_answer_tokens(&self, tenant: TenantId) -> u64 {
        let tenant_value = self.settings.with(tenant, |settings| settings.expected_answer_tokens);
        tenant_value.unwrap_or(self.config.expected_answer_tokens)
    }
}
