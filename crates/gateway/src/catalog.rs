//! The providers and prices of each tenant, ready for use, in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::HeaderValue;
use http::Uri;
use loam_db::Db;
use loam_http::client::Timeouts;
use loam_kernel::{Error, Kind, Result, Scope, TenantId};
use loam_platform::notices::{Notice, Notices};
use loam_platform::seal::Keyring;

use crate::model_prices::Price;
use crate::{ai_providers, model_prices};

/// What a tenant can call.
pub(crate) struct Models {
    pub(crate) providers: HashMap<String, Arc<Provider>>,
    /// By provider, then by model.
    prices: HashMap<String, HashMap<String, Price>>,
}

/// A provider, ready to be asked.
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) is_active: bool,
    /// Without a slash at its end.
    pub(crate) base_url: String,
    /// The addresses of its endpoints, by path.
    pub(crate) chat_uri: Uri,
    pub(crate) embeddings_uri: Uri,
    pub(crate) headers: Vec<(http::HeaderName, HeaderValue)>,
    pub(crate) models: Vec<String>,
    pub(crate) timeouts: Timeouts,
    /// Its own list of models, when it was last asked.
    pub(crate) listed: Mutex<Option<(Instant, Vec<String>)>>,
}

impl Models {
    /// What a model costs at a provider: its own price, or the one set for all of the provider's models (`*`).
    pub(crate) fn price(&self, provider: &str, model: &str) -> Option<Price> {
        let prices = self.prices.get(provider)?;
        prices.get(model).or_else(|| prices.get("*")).copied()
    }
}

impl Provider {
    fn new(keyring: &Keyring, mut timeouts: Timeouts, row: ai_providers::entity::Model) -> Result<Self> {
        let config = ai_providers::service::open_config(keyring, &row)?;
        let base_url = config.base_url.trim_end_matches('/').to_owned();
        let uri = |path: &str| Uri::try_from(format!("{base_url}{path}")).map_err(Error::internal);
        let mut headers = Vec::new();
        let mut add = |name: &'static str, value: &str| {
            let mut value = HeaderValue::from_str(value).map_err(Error::internal)?;
            value.set_sensitive(true);
            headers.push((http::HeaderName::from_static(name), value));
            Ok::<_, Error>(())
        };
        if let Some(key) = &config.api_key {
            add("authorization", &format!("Bearer {}", key.as_str()))?;
        }
        if let Some(organization) = &config.organization {
            add("openai-organization", organization)?;
        }
        if let Some(project) = &config.project {
            add("openai-project", project)?;
        }
        if let Some(seconds) = config.first_byte_timeout {
            timeouts.first_byte = Duration::from_secs(seconds);
        }
        if let Some(seconds) = config.idle_timeout {
            timeouts.idle = Duration::from_secs(seconds);
        }
        Ok(Self {
            name: row.name,
            is_active: row.is_active,
            chat_uri: uri("/chat/completions")?,
            embeddings_uri: uri("/embeddings")?,
            base_url,
            headers,
            models: config.models,
            timeouts,
            listed: Mutex::new(None),
        })
    }
}

/// What each tenant can call. Kept until a notice says that it changed; then, should the database be away, still.
#[derive(Clone)]
pub(crate) struct Catalog {
    db: Db,
    keyring: Keyring,
    /// What holds unless a provider's configuration says otherwise.
    timeouts: Timeouts,
    tenants: Arc<RwLock<HashMap<TenantId, Arc<Slot>>>>,
}

/// What is known of a tenant.
#[derive(Default)]
struct Slot {
    /// Changes announced so far.
    changes: AtomicU64,
    /// What was read last, and how many changes had been announced before.
    read: RwLock<Option<(u64, Arc<Models>)>>,
    /// Held by whoever reads; others wait for what it finds.
    reading: tokio::sync::Mutex<()>,
    /// The last look failed, so nobody waits for the next.
    failing: AtomicBool,
}

impl Slot {
    /// What was read last, unless there has been a change since.
    fn current(&self) -> Option<Arc<Models>> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        read.as_ref()
            .filter(|(changes, _)| *changes == self.changes.load(Ordering::Acquire))
            .map(|(_, models)| models.clone())
    }

    fn last(&self) -> Option<Arc<Models>> {
        self.read.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, models)| models.clone())
    }
}

impl Catalog {
    pub(crate) fn new(db: Db, keyring: Keyring, timeouts: Timeouts, notices: &Notices) -> Self {
        let this = Self { db, keyring, timeouts, tenants: Arc::default() };
        let tenants = Arc::downgrade(&this.tenants);
        notices.subscribe(move |notice: &Notice| {
            let ours = matches!(notice.topic.as_str(), "ai_providers" | "model_prices");
            if let (true, Some(tenants)) = (ours, tenants.upgrade()) {
                let tenants = tenants.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = tenants.get(&notice.tenant) {
                    slot.changes.fetch_add(1, Ordering::AcqRel);
                }
            }
        });
        this
    }

    /// The tenant's models. Whoever was told of a change finds it here; only while the database is away the last known
    /// are given instead.
    pub(crate) async fn get(&self, tenant: TenantId) -> Result<Arc<Models>> {
        if let Some(models) = self.known(tenant).as_deref().and_then(Slot::current) {
            return Ok(models);
        }
        let slot = self.slot(tenant);
        let last = slot.last();
        let _reading = match (slot.reading.try_lock(), &last) {
            (Ok(reading), _) => reading,
            (Err(_), Some(last)) if slot.failing.load(Ordering::Acquire) => return Ok(last.clone()),
            (Err(_), _) => {
                let reading = slot.reading.lock().await;
                match (slot.current(), &last) {
                    (Some(models), _) => return Ok(models),
                    (None, Some(last)) if slot.failing.load(Ordering::Acquire) => return Ok(last.clone()),
                    (None, _) => reading,
                }
            }
        };
        let models = self.load(tenant, &slot).await;
        slot.failing.store(models.is_err(), Ordering::Release);
        match (models, last) {
            (Err(e), Some(last)) if e.kind() == Kind::Unavailable => Ok(last),
            (models, _) => models,
        }
    }

    fn known(&self, tenant: TenantId) -> Option<Arc<Slot>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    fn slot(&self, tenant: TenantId) -> Arc<Slot> {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).entry(tenant).or_default().clone()
    }

    async fn load(&self, tenant: TenantId, slot: &Slot) -> Result<Arc<Models>> {
        // counted before the rows are read: a change meanwhile makes them old at once
        let changes = slot.changes.load(Ordering::Acquire);
        let tx = self.db.read(&Scope::system(tenant, "gateway")).await?;
        let mut providers = HashMap::new();
        for row in tx.find::<ai_providers::entity::Entity>().all().await? {
            let name = row.name.clone();
            match Provider::new(&self.keyring, self.timeouts, row) {
                Ok(provider) => drop(providers.insert(name, Arc::new(provider))),
                // one provider that can't be opened must not take the others with it
                Err(e) => {
                    tracing::error!(provider = name, error = ?e, "a provider's configuration can't be used")
                }
            }
        }
        let mut prices: HashMap<String, HashMap<String, Price>> = HashMap::new();
        for row in tx.find::<model_prices::entity::Entity>().all().await? {
            let price = Price::from(&row);
            prices.entry(row.provider).or_default().insert(row.model, price);
        }
        let models = Arc::new(Models { providers, prices });
        *slot.read.write().unwrap_or_else(PoisonError::into_inner) = Some((changes, models.clone()));
        Ok(models)
    }

    pub(crate) async fn preload(&self) -> Result<()> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "gateway")).await?;
        let rows = tx.find_any::<ai_providers::entity::Entity>().all().await?;
        drop(tx);
        let tenants: std::collections::HashSet<TenantId> =
            rows.into_iter().map(|row| row.tenant_id).collect();
        for tenant in tenants {
            self.get(tenant).await?;
        }
        Ok(())
    }
}
