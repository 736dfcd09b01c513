//! The cached signing keys.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use loam_db::Db;
use loam_kernel::{Clock, Error, Result, Scope, TenantId};
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use sea_orm::QueryOrder;

use super::entity::{Column, Entity};
use super::service::{is_trusted, seal_context};
use crate::jwt::{Jwk, Signer, VerifyingKey};

/// Minimum interval between reads of the table for an unknown `kid`, in microseconds.
const RELOAD_INTERVAL_MICROS: i64 = 1_000_000;

/// The keys as they were last read.
pub(crate) struct KeySet {
    /// The signing key; none before the first token.
    pub(crate) signer: Option<Signer>,
    verifying: HashMap<String, VerifyingKey>,
    pub(crate) public: Vec<Jwk>,
}

/// A cache of the signing keys. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SigningKeys(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    keyring: Keyring,
    known: RwLock<Option<(u64, Arc<KeySet>)>>,
    /// Counts changes, so that a result from before a change is not used after it.
    changes: AtomicU64,
    /// When it was last read for an unknown `kid`.
    looked_at: AtomicI64,
}

impl SigningKeys {
    pub(crate) fn new(db: Db, clock: Clock, keyring: Keyring, notices: &Notices) -> Self {
        let (changes, looked_at) = (AtomicU64::new(0), AtomicI64::new(0));
        let this = Self(Arc::new(Inner { db, clock, keyring, known: RwLock::default(), changes, looked_at }));
        let listener = Arc::downgrade(&this.0);
        notices.subscribe(move |notice| {
            if let Some(inner) = listener.upgrade().filter(|_| notice.topic == "signing_keys") {
                inner.changes.fetch_add(1, Ordering::AcqRel);
            }
        });
        this
    }

    /// The current keys; the last known ones while the database is unavailable.
    pub(crate) async fn get(&self) -> Result<Arc<KeySet>> {
        let changes = self.0.changes.load(Ordering::Acquire);
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((at, keys)) if at == changes => Ok(keys),
            Some((_, keys)) => Ok(self.read(changes).await.unwrap_or(keys)),
            None => self.read(changes).await,
        }
    }

    /// Calls `with` on the key with this `kid`. An unknown one may have just been created on another node.
    pub(crate) async fn with<T>(&self, kid: &str, with: impl Fn(&VerifyingKey) -> T) -> Result<Option<T>> {
        if let Some(key) = self.get().await?.verifying.get(kid) {
            return Ok(Some(with(key)));
        }
        let now = self.0.clock.now().timestamp_micros();
        if now - self.0.looked_at.swap(now, Ordering::AcqRel) < RELOAD_INTERVAL_MICROS {
            return Ok(None);
        }
        let keys = self.read(self.0.changes.load(Ordering::Acquire)).await?;
        Ok(keys.verifying.get(kid).map(with))
    }

    async fn read(&self, changes: u64) -> Result<Arc<KeySet>> {
        let tx = self.0.db.system_read(&Scope::system(TenantId::NIL, "signing_keys")).await?;
        let rows = tx.find::<Entity>().order_by_desc(Column::Id).all().await?;
        let now = self.0.clock.now();
        let mut keys = KeySet { signer: None, verifying: HashMap::new(), public: Vec::new() };
        for row in rows.into_iter().filter(|row| is_trusted(row, now)) {
            let jwk: Jwk = serde_json::from_value(row.public_key).map_err(Error::internal)?;
            if let Some(key) = VerifyingKey::public(&jwk) {
                keys.verifying.insert(row.kid.clone(), key);
                keys.public.push(jwk);
            }
            if let (None, Some(sealed)) = (&keys.signer, &row.private_key) {
                let pkcs8 = self.0.keyring.open_sealed(&seal_context(row.id), sealed)?;
                keys.signer = Some(Signer::open(row.kid, &pkcs8)?);
            }
        }
        let keys = Arc::new(keys);
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Some((changes, keys.clone()));
        Ok(keys)
    }
}
