//! The handle of this crate.

use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use loam_db::Db;
use loam_http::client::{Client, Timeouts};
use loam_identity::Identity;
use loam_journal::{Journal, Position};
use loam_kernel::{Clock, Result};
use loam_platform::changes::Changes;
use loam_platform::notices::Notices;
use loam_platform::records::RetentionSettings;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::Catalog;
use crate::limits::meters::Meters;
use crate::llm_calls::ledger::Ledger;
use crate::llm_calls::refusals::Refusals;
use crate::proxy::response_cache::ResponseCache;
use crate::proxy::{self, Proxy};
use crate::{CallSettings, Config};

/// How often the journal's free capacity is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Providers, prices, routes, limits and the records of calls. [`Proxy`] makes calls. Cheap to clone.
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
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) meters: Meters,
    pub(crate) proxy: Proxy,
    /// How long calls and their bodies are stored.
    retention: OnceLock<LiveConfig<RetentionSettings>>,
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
        let ledger = Arc::new(ledger);
        let response_cache = ResponseCache::new(config.response_cache_bytes);
        let cache = response_cache.clone();
        notices.subscribe(move |notice| {
            if notice.topic == "erasures" {
                cache.remove_tenant(notice.tenant);
            }
        });
        let proxy = Proxy(Arc::new(proxy::Inner {
            db: db.clone(),
            clock: clock.clone(),
            client: client.clone(),
            catalog: catalog.clone(),
            ledger: ledger.clone(),
            meters: meters.clone(),
            config,
            settings,
            response_cache,
            refusals: Refusals::default(),
            hooks: RwLock::default(),
            calls: TaskTracker::new(),
        }));
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
            proxy,
            retention: OnceLock::new(),
        }))
    }

    /// Makes calls.
    pub fn proxy(&self) -> &Proxy {
        &self.0.proxy
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
}

impl Inner {
    /// The retention of calls and their data.
    pub(crate) fn retention(&self) -> LiveConfig<RetentionSettings> {
        self.retention.get().cloned().unwrap_or_default()
    }
}
