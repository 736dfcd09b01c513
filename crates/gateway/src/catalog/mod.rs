//! The providers, routes, prices and limits of each tenant, ready for use, in memory.

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
use crate::limits::entity::SubjectType;
use crate::limits::meters::Meters;

use health::HealthRegistry;
pub(crate) use health::{Availability, CoolDown};
pub(crate) use models::{Destination, Models, Route, RouteTarget};
pub(crate) use provider::{Key, Provider};

/// The tables whose changes invalidate a tenant's entry.
const TOPICS: [&str; 4] = ["ai_providers", "model_prices", "model_routes", "limits"];

/// What each tenant can call. Cached until a notice announces a change; while the database is unavailable, the last
/// known state is used.
#[derive(Clone)]
pub(crate) struct Catalog {
    db: Db,
    keyring: Keyring,
    /// The default timeouts.
    timeouts: Timeouts,
    health_registry: Arc<HealthRegistry>,
    meters: Meters,
    notices: Notices,
    tenants: Arc<RwLock<HashMap<TenantId, Arc<TenantEntry>>>>,
}

/// The cached state of a tenant.
#[derive(Default)]
struct TenantEntry {
    /// The number of changes announced so far.
    changes: AtomicU64,
    /// The last state read, and the number of changes announced before.
    read: RwLock<Option<(u64, Arc<Models>)>>,
    /// Held by the task that reads; others wait for its result.
    reading: tokio::sync::Mutex<()>,
    /// The last read failed, so nobody waits for the next.
    failing: AtomicBool,
}

impl TenantEntry {
    /// The last state read, unless there has been a change since.
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
        let this = Self {
            db,
            keyring,
            timeouts,
            health_registry: Arc::default(),
            meters,
            notices: notices.clone(),
            tenants: Arc::default(),
        };
        let tenants = Arc::downgrade(&this.tenants);
        notices.subscribe(move |notice: &Notice| {
            let ours = TOPICS.contains(&notice.topic.as_str());
            if let (true, Some(tenants)) = (ours, tenants.upgrade()) {
                let tenants = tenants.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(entry) = tenants.get(&notice.tenant) {
                    entry.changes.fetch_add(1, Ordering::AcqRel);
                }
            }
        });
        this
    }

    /// The tenant's models, with every announced change; only while the database is unavailable, the last known
    /// state.
    pub(crate) async fn get(&self, tenant: TenantId) -> Result<Arc<Models>> {
        match self.existing(tenant).as_deref().and_then(TenantEntry::current) {
            Some(models) => Ok(models),
            None => Box::pin(self.reload(tenant)).await,
        }
    }

    /// The tenant's models, and what `find` finds among them. If it finds nothing, it is called again with the changes
    /// that other processes have committed, such as a route that the command line has just created.
    pub(crate) async fn find<T>(
        &self,
        tenant: TenantId,
        find: impl Fn(&Models) -> Result<T>,
    ) -> Result<(Arc<Models>, T)> {
        let models = self.get(tenant).await?;
        match find(&models) {
            Err(e) if e.kind() == Kind::NotFound => {
                let models = Box::pin(async {
                    self.notices.catch_up().await;
                    self.get(tenant).await
                })
                .await?;
                let found = find(&models)?;
                Ok((models, found))
            }
            found => Ok((models, found?)),
        }
    }

    async fn reload(&self, tenant: TenantId) -> Result<Arc<Models>> {
        let entry = self.entry(tenant);
        let last = entry.last();
        let _reading = match (entry.reading.try_lock(), &last) {
            (Ok(reading), _) => reading,
            (Err(_), Some(last)) if entry.failing.load(Ordering::Acquire) => return Ok(last.clone()),
            (Err(_), _) => {
                let reading = entry.reading.lock().await;
                match (entry.current(), &last) {
                    (Some(models), _) => return Ok(models),
                    (None, Some(last)) if entry.failing.load(Ordering::Acquire) => return Ok(last.clone()),
                    (None, _) => reading,
                }
            }
        };
        let models = self.load(tenant, &entry).await;
        entry.failing.store(models.is_err(), Ordering::Release);
        match (models, last) {
            (Err(e), Some(last)) if e.kind() == Kind::Unavailable => Ok(last),
            (models, _) => models,
        }
    }

    /// A provider as configured, active or not.
    pub(crate) fn open(&self, row: ai_providers::entity::Model) -> Result<Provider> {
        Provider::new(&self.keyring, self.timeouts, &self.health_registry, row)
    }

    fn existing(&self, tenant: TenantId) -> Option<Arc<TenantEntry>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    fn entry(&self, tenant: TenantId) -> Arc<TenantEntry> {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).entry(tenant).or_default().clone()
    }

    async fn load(&self, tenant: TenantId, entry: &TenantEntry) -> Result<Arc<Models>> {
        // counted before the rows are read, so that a concurrent change invalidates them
        let changes = entry.changes.load(Ordering::Acquire);
        let tx = self.db.read(&Scope::system(tenant, "gateway")).await?;
        let mut models = Models::read(&tx, &self.keyring, self.timeouts, &self.health_registry).await?;
        let limits = Models::limits(&tx).await?;
        drop(tx);
        let (of_end_users, shared): (HashMap<_, _>, HashMap<_, _>) =
            limits.into_iter().partition(|((kind, _), _)| *kind == SubjectType::EndUser);
        let mut meters = self.meters.of(tenant, shared.keys().copied()).await?;
        let limited = shared.into_iter().filter_map(|(subject, (id, values))| {
            Some((subject, Limited { id, values, meter: meters.remove(&subject)? }))
        });
        models.limits = limited.collect();
        if !of_end_users.is_empty() {
            self.meters.follow_end_users(tenant).await?;
        }
        models.end_user_limits = of_end_users.into_iter().map(|((_, scope), limit)| (scope, limit)).collect();
        let models = Arc::new(models);
        *entry.read.write().unwrap_or_else(PoisonError::into_inner) = Some((changes, models.clone()));
        self.health_registry.forget_unused();
        Ok(models)
    }

    /// Loads all tenants. One that can't be read now is read on first use.
    pub(crate) async fn preload(&self) -> Result<()> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "gateway")).await?;
        let rows = tx.find_any::<ai_providers::entity::Entity>().all().await?;
        drop(tx);
        let tenants: std::collections::HashSet<TenantId> =
            rows.into_iter().map(|row| row.tenant_id).collect();
        for tenant in tenants {
            if let Err(e) = self.get(tenant).await {
                tracing::warn!(%tenant, error = %e, "cannot read a tenant's models; retried on first use");
            }
        }
        Ok(())
    }
}
