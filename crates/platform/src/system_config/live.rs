//! The values that hold, in memory.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use loam_db::Db;
use loam_kernel::{Clock, Error, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::declaration::{ConfigKey, Declaration, Settings};
use super::entity::{Column, Entity};
use crate::notices::Notices;

/// The topic of the notices.
pub(super) const TOPIC: &str = "system_config";
/// The pause before values are read again after that failed.
const RETRY_INTERVAL: Duration = Duration::from_millis(300);
/// Values are read again this often though nothing was announced, should a notice have been missed.
const REFRESH_INTERVAL: Duration = Duration::from_mins(1);

/// The values of a key, for the instance and for each tenant that has its own. Cheap to clone; reading takes no lock.
pub struct LiveConfig<T>(Arc<ArcSwap<Values<T>>>);

struct Values<T> {
    instance: Arc<T>,
    tenants: HashMap<TenantId, Arc<T>>,
}

impl<T> Clone for LiveConfig<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Default> Default for LiveConfig<T> {
    fn default() -> Self {
        Self::fixed(T::default())
    }
}

impl<T> LiveConfig<T> {
    /// A value that never changes, for tests and for what runs without a database.
    pub fn fixed(value: T) -> Self {
        let values = Values { instance: Arc::new(value), tenants: HashMap::new() };
        Self(Arc::new(ArcSwap::from_pointee(values)))
    }

    /// Values that never change, some tenants' among them, for tests.
    pub fn fixed_with(instance: T, tenants: Vec<(TenantId, T)>) -> Self {
        let tenants = tenants.into_iter().map(|(tenant, value)| (tenant, Arc::new(value))).collect();
        Self(Arc::new(ArcSwap::from_pointee(Values { instance: Arc::new(instance), tenants })))
    }

    /// What holds for the instance.
    pub fn get(&self) -> Arc<T> {
        self.0.load().instance.clone()
    }

    /// What holds for a tenant.
    pub fn of(&self, tenant: TenantId) -> Arc<T> {
        self.0.load().of(tenant).clone()
    }

    /// What holds for the instance, and for each tenant that has values of its own.
    pub fn each(&self) -> (Arc<T>, Vec<(TenantId, Arc<T>)>) {
        let values = self.0.load();
        let tenants = values.tenants.iter().map(|(tenant, value)| (*tenant, value.clone()));
        (values.instance.clone(), tenants.collect())
    }

    /// Reads what holds for a tenant, for the path of a call: nothing is counted or copied.
    pub fn with<R>(&self, tenant: TenantId, read: impl FnOnce(&T) -> R) -> R {
        read(self.0.load().of(tenant))
    }

    /// Whether something holds for the instance or any tenant.
    pub fn any(&self, mut holds: impl FnMut(&T) -> bool) -> bool {
        let values = self.0.load();
        holds(&values.instance) || values.tenants.values().any(|value| holds(value))
    }
}

impl<T> Values<T> {
    fn of(&self, tenant: TenantId) -> &Arc<T> {
        if self.tenants.is_empty() {
            return &self.instance;
        }
        self.tenants.get(&tenant).unwrap_or(&self.instance)
    }
}

/// The values of a key whose type is not known here.
pub(super) trait Slot: Send + Sync {
    /// Whether a whole value can be read as the key's type; what is wrong if not.
    fn check(&self, value: Value) -> Result<(), String>;
    /// Sets the whole values that hold from now on.
    fn apply(&self, instance: Value, tenants: Vec<(TenantId, Value)>) -> Result<(), String>;
    /// Itself, to be told by its type.
    fn as_any(&self) -> &dyn Any;
}

impl<T: Settings> Slot for LiveConfig<T> {
    fn check(&self, value: Value) -> Result<(), String> {
        serde_json::from_value::<T>(value).map(drop).map_err(|e| e.to_string())
    }

    fn apply(&self, instance: Value, tenants: Vec<(TenantId, Value)>) -> Result<(), String> {
        let read = |value| serde_json::from_value::<T>(value).map(Arc::new).map_err(|e| e.to_string());
        let instance = read(instance)?;
        let tenants = tenants.into_iter().map(|(tenant, value)| Ok((tenant, read(value)?)));
        let tenants = tenants.collect::<Result<_, String>>()?;
        self.0.store(Arc::new(Values { instance, tenants }));
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

type Subscriber = Arc<dyn Fn(&'static str) + Send + Sync>;

/// The live configuration. Cheap to clone.
#[derive(Clone)]
pub struct SystemConfig(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) notices: Notices,
    pub(super) declared: BTreeMap<&'static str, Declaration>,
    /// What was read last, by key; also held while reading, so that an older reading can't undo a newer one.
    read: tokio::sync::Mutex<BTreeMap<&'static str, StoredValues>>,
    announced: Arc<Notify>,
    subscribers: RwLock<Vec<Subscriber>>,
}

/// What is set for a key: tenants with their values, the instance's under the nil tenant.
type StoredValues = BTreeMap<TenantId, Value>;

impl SystemConfig {
    /// With these keys, at their defaults until [`SystemConfig::reload`] has read what is set.
    pub fn new(db: Db, clock: Clock, notices: Notices, declarations: Vec<Declaration>) -> Result<Self> {
        let mut declared = BTreeMap::new();
        for declaration in declarations {
            let name = declaration.name;
            if declared.insert(name, declaration).is_some() {
                return Err(Error::internal(format!("the configuration key {name} is declared twice")));
            }
        }
        let announced = Arc::new(Notify::new());
        let heard = announced.clone();
        notices.subscribe(move |notice| {
            if notice.topic == TOPIC {
                heard.notify_one();
            }
        });
        Ok(Self(Arc::new(Inner {
            db,
            clock,
            notices,
            declared,
            read: tokio::sync::Mutex::default(),
            announced,
            subscribers: RwLock::default(),
        })))
    }

    /// The values of a key; they follow every change.
    ///
    /// # Errors
    /// When the key is not among the declared ones.
    pub fn live<T: Settings>(&self, key: &ConfigKey<T>) -> Result<LiveConfig<T>> {
        let slot = self
            .0
            .declared
            .get(key.name())
            .and_then(|found| found.slot.as_any().downcast_ref::<LiveConfig<T>>());
        slot.cloned().ok_or_else(|| {
            Error::internal(format!("the configuration key {} is not among the declared ones", key.name()))
        })
    }

    /// Calls `subscriber` with the name of a key each time its values have changed; it must not block.
    pub fn subscribe(&self, subscriber: impl Fn(&'static str) + Send + Sync + 'static) {
        self.0.subscribers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(subscriber));
    }

    /// Reads what is set, and applies it.
    pub async fn reload(&self) -> Result<()> {
        let mut last = self.0.read.lock().await;
        let tx = self.0.db.system_read(&Scope::system(TenantId::NIL, "system_config")).await?;
        let rows = tx.find_any::<Entity>().filter(Column::IsActive.eq(true)).all().await?;
        drop(tx);
        let mut now: BTreeMap<&'static str, StoredValues> = BTreeMap::new();
        for row in rows {
            // a key of another version of Loam is left alone
            if let Some((name, _)) = self.0.declared.get_key_value(row.config_key.as_str()) {
                now.entry(*name).or_default().insert(row.tenant_id, row.config_value);
            }
        }
        let none = StoredValues::new();
        for (name, declaration) in &self.0.declared {
            let (old, new) = (last.get(name).unwrap_or(&none), now.get(name).unwrap_or(&none));
            if old != new {
                declaration.apply(new);
                self.notify(name);
            }
        }
        *last = now;
        Ok(())
    }

    fn notify(&self, name: &'static str) {
        let subscribers = self.0.subscribers.read().unwrap_or_else(PoisonError::into_inner).clone();
        for subscriber in subscribers {
            subscriber(name);
        }
    }

    /// Follows changes until stopped. While the database is away, what was read last holds.
    pub async fn watch(self, stop: CancellationToken) {
        loop {
            let heard = tokio::time::timeout(REFRESH_INTERVAL, self.0.announced.notified());
            if stop.run_until_cancelled(heard).await.is_none() {
                return;
            }
            while let Err(e) = self.reload().await {
                tracing::debug!(error = %e, "cannot read the live configuration; trying again");
                if stop.run_until_cancelled(tokio::time::sleep(RETRY_INTERVAL)).await.is_none() {
                    return;
                }
            }
        }
    }
}

impl Declaration {
    /// Applies what is set. What this version of Loam doesn't accept is passed over: the value below holds.
    fn apply(&self, set: &StoredValues) {
        let accepted = |tenant: TenantId, below: &Value| match self.effective(set.get(&tenant)?, below) {
            Ok(value) => Some(value),
            Err(e) => {
                tracing::warn!(config.key = self.name, tenant.id = %tenant, error = %e, "a value that is set is not valid; passing it over");
                None
            }
        };
        let instance = accepted(TenantId::NIL, &self.default).unwrap_or_else(|| self.default.clone());
        let own = set.keys().filter(|tenant| self.per_tenant && **tenant != TenantId::NIL);
        let tenants = own.filter_map(|tenant| Some((*tenant, accepted(*tenant, &instance)?))).collect();
        if let Err(e) = self.slot.apply(instance, tenants) {
            tracing::warn!(
                config.key = self.name,
                error = e,
                "the values that are set can't be read; the last ones hold"
            );
        }
    }
}
