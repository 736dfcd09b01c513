//! The providers and prices of each tenant, ready for use, in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
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
    tenants: Arc<RwLock<HashMap<TenantId, Arc<Entry>>>>,
}

struct Entry {
    models: Arc<Models>,
    stale: AtomicBool,
}

impl Catalog {
    pub(crate) fn new(db: Db, keyring: Keyring, timeouts: Timeouts, notices: &Notices) -> Self {
        let this = Self { db, keyring, timeouts, tenants: Arc::default() };
        let tenants = Arc::downgrade(&this.tenants);
        notices.subscribe(move |notice: &Notice| {
            let ours = matches!(notice.topic.as_str(), "ai_providers" | "model_prices");
            if let (true, Some(tenants)) = (ours, tenants.upgrade()) {
                let tenants = tenants.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(entry) = tenants.get(&notice.tenant) {
                    entry.stale.store(true, Ordering::Release);
                }
            }
        });
        this
    }

    pub(crate) async fn get(&self, tenant: TenantId) -> Result<Arc<Models>> {
        let entry = self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned();
        match entry {
            // the mark is taken off before the rows are read, so that a change meanwhile puts it back on
            Some(entry) if entry.stale.swap(false, Ordering::AcqRel) => match self.load(tenant).await {
                Ok(models) => Ok(models),
                Err(e) => {
                    entry.stale.store(true, Ordering::Release);
                    if e.kind() == Kind::Unavailable { Ok(entry.models.clone()) } else { Err(e) }
                }
            },
            Some(entry) => Ok(entry.models.clone()),
            None => self.load(tenant).await,
        }
    }

    async fn load(&self, tenant: TenantId) -> Result<Arc<Models>> {
        let tx = self.db.read(&Scope::system(tenant, "gateway")).await?;
        let mut providers = HashMap::new();
        for row in tx.find::<ai_providers::entity::Entity>().all().await? {
            let name = row.name.clone();
            match Provider::new(&self.keyring, self.timeouts, row) {
                Ok(provider) => drop(providers.insert(name, Arc::new(provider))),
                // one provider that can't be opened must not take the others with it
                Err(e) => tracing::error!(provider = name, error = ?e, "a provider's configuration can't be used"),
            }
        }
        let mut prices: HashMap<String, HashMap<String, Price>> = HashMap::new();
        for row in tx.find::<model_prices::entity::Entity>().all().await? {
            let price = Price::from(&row);
            prices.entry(row.provider).or_default().insert(row.model, price);
        }
        let models = Arc::new(Models { providers, prices });
        let entry = Arc::new(Entry { models: models.clone(), stale: AtomicBool::new(false) });
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        // a notice that came while the rows were read marked the entry before this one
        let changed = tenants.get(&tenant).is_some_and(|old| old.stale.load(Ordering::Acquire));
        entry.stale.store(changed, Ordering::Release);
        tenants.insert(tenant, entry);
        Ok(models)
    }

    pub(crate) async fn preload(&self) -> Result<()> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "gateway")).await?;
        let rows = tx.find_any::<ai_providers::entity::Entity>().all().await?;
        drop(tx);
        let tenants: std::collections::HashSet<TenantId> = rows.into_iter().map(|row| row.tenant_id).collect();
        for tenant in tenants {
            self.load(tenant).await?;
        }
        Ok(())
    }
}
