//! The providers and prices of each tenant, ready for use, in memory.

mod health;
mod models;
mod provider;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use loam_db::Db;
use loam_http::client::Timeouts;
use loam_kernel::{Kind, Result, Scope, TenantId};
use loam_platform::notices::{Notice, Notices};
use loam_platform::seal::Keyring;

use crate::ai_providers;
use crate::limits::admission::Limited;
use crate::limits::meters::Meters;

use health::Wards;
pub(crate) use health::{Condition, CoolDown};
pub(crate) use models::{Destination, Models, Route, RouteTarget};
pub(crate) use provider::{Key, Provider};

/// The tables whose changes make what is known of a tenant old.
const TOPICS: [&str; 4] = ["ai_providers", "model_prices", "model_routes", "limits"];

/// What each tenant can call. Kept until a notice says that it changed; then, should the database be away, still.
#[derive(Clone)]
pub(crate) struct Catalog {
    db: Db,
    keyring: Keyring,
    /// What holds unless a provider's configuration says otherwise.
    timeouts: Timeouts,
    wards: Arc<Wards>,
    meters: Meters,
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
    pub(crate) fn new(
        db: Db,
        keyring: Keyring,
        timeouts: Timeouts,
        meters: Meters,
        notices: &Notices,
    ) -> Self {
        let this = Self { db, keyring, timeouts, wards: Arc::default(), meters, tenants: Arc::default() };
        let tenants = Arc::downgrade(&this.tenants);
        notices.subscribe(move |notice: &Notice| {
            let ours = TOPICS.contains(&notice.topic.as_str());
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
        match self.known(tenant).as_deref().and_then(Slot::current) {
            Some(models) => Ok(models),
            None => Box::pin(self.get_anew(tenant)).await,
        }
    }

    async fn get_anew(&self, tenant: TenantId) -> Result<Arc<Models>> {
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

    /// A provider as it is configured, be it active or not.
    pub(crate) fn open(&self, row: ai_providers::entity::Model) -> Result<Provider> {
        Provider::new(&self.keyring, self.timeouts, &self.wards, row)
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
        let mut models = Models::read(&tx, &self.keyring, self.timeouts, &self.wards).await?;
        let rules = Models::rules(&tx).await?;
        drop(tx);
        let mut meters = self.meters.of(tenant, rules.keys().copied()).await?;
        let limited = rules
            .into_iter()
            .filter_map(|(subject, rule)| Some((subject, Limited { rule, meter: meters.remove(&subject)? })));
        models.limits = limited.collect();
        let models = Arc::new(models);
        *slot.read.write().unwrap_or_else(PoisonError::into_inner) = Some((changes, models.clone()));
        self.wards.forget_unused();
        Ok(models)
    }

    /// Reads every tenant's. One that can't be read now is read when it is first asked for.
    pub(crate) async fn preload(&self) -> Result<()> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "gateway")).await?;
        let rows = tx.find_any::<ai_providers::entity::Entity>().all().await?;
        drop(tx);
        let tenants: std::collections::HashSet<TenantId> =
            rows.into_iter().map(|row| row.tenant_id).collect();
        for tenant in tenants {
            if let Err(e) = self.get(tenant).await {
                tracing::warn!(%tenant, error = %e, "cannot read a tenant's models yet");
            }
        }
        Ok(())
    }
}
