//! From a key to a scope, at the speed of a gateway: known keys are answered from memory, and go on working while the
//! database is away; a change anywhere empties what it touches within a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use chrono::{DateTime, Utc};
use loam_db::{Db, System, Tx};
use loam_kernel::{
    Actor, ApiKeyId, Clock, Error, Kind, Origin, Permissions, Result, Scope, TenantId, UserId,
};
use loam_platform::notices::{Notice, Notices};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::tenants::entity::TenantStatus;
use crate::{api_keys, secret, tenants, users};

/// How long an unknown key is remembered as such, so that guessing doesn't reach the database each time.
const UNKNOWN_FOR: i64 = 2_000_000;
/// Unknown keys remembered at most.
const MAX_UNKNOWN: usize = 10_000;
/// Keys read at the start, the newest first.
const PRELOAD: u64 = 10_000;

type Digest = [u8; 32];

/// Knows keys.
pub struct Authenticator {
    db: Db,
    clock: Clock,
    known: RwLock<HashMap<Digest, Arc<Credential>>>,
    unknown: RwLock<HashMap<Digest, i64>>,
    /// Counts changes, so that what was read before one is not kept after it.
    changes: AtomicU64,
}

struct Credential {
    id: ApiKeyId,
    user: Option<UserId>,
    scope: Scope,
    tenant_status: TenantStatus,
    expires_at: Option<DateTime<Utc>>,
    /// Microseconds since 1970; 0 once written to the database.
    used_at: AtomicI64,
}

impl Authenticator {
    /// An authenticator that hears of changes, and knows the newest keys from the start.
    pub async fn start(db: Db, clock: Clock, notices: &Notices) -> Result<Arc<Self>> {
        let changes = AtomicU64::new(0);
        let this =
            Arc::new(Self { db, clock, known: RwLock::default(), unknown: RwLock::default(), changes });
        let listener = Arc::downgrade(&this);
        notices.subscribe(move |notice| {
            if let Some(this) = listener.upgrade() {
                this.forget(notice);
            }
        });
        this.preload().await?;
        Ok(this)
    }

    /// The scope of whoever holds the key. Suspended tenants only read: `writes` tells whether more is asked.
    pub async fn authenticate(&self, key: &str, writes: bool, origin: Arc<Origin>) -> Result<Scope> {
        if !key.starts_with(secret::PREFIX) || key.len() > 200 {
            return Err(refused());
        }
        let digest = secret::digest(key);
        let known =
            self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&digest).cloned();
        let credential = match known {
            Some(credential) => credential,
            None => self.look_up(digest).await?,
        };
        let now = self.clock.now();
        if credential.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::new(
                Kind::Unauthenticated,
                "expired_key",
                "this API key has expired; make a new one",
            ));
        }
        match credential.tenant_status {
            TenantStatus::Active => {}
            TenantStatus::Suspended if !writes => {}
            TenantStatus::Suspended => {
                return Err(Error::new(
                    Kind::Forbidden,
                    "tenant_suspended",
                    "this tenant is suspended: it can only read",
                ));
            }
            TenantStatus::Archived => {
                return Err(Error::new(Kind::Forbidden, "tenant_archived", "this tenant is archived"));
            }
        }
        credential.used_at.store(now.timestamp_micros(), Ordering::Relaxed);
        Ok(credential.scope.clone().with_origin(origin))
    }

    async fn look_up(&self, digest: Digest) -> Result<Arc<Credential>> {
        let now = self.clock.now().timestamp_micros();
        let until =
            self.unknown.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&digest).copied();
        if until.is_some_and(|until| now < until) {
            return Err(refused());
        }
        let changes = self.changes.load(Ordering::Acquire);
        let tx = self.db.system_read(&system()).await?;
        let find = tx.find_any::<api_keys::entity::Entity>();
        let row = find.filter(api_keys::entity::Column::KeyHash.eq(digest.to_vec())).one().await?;
        let credential = match row {
            Some(row) => self.load(&tx, row).await?,
            None => None,
        };
        let Some(credential) = credential else {
            let mut unknown = self.unknown.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            if unknown.len() >= MAX_UNKNOWN {
                unknown.clear();
            }
            unknown.insert(digest, now + UNKNOWN_FOR);
            return Err(refused());
        };
        self.keep(digest, &credential, changes);
        Ok(credential)
    }

    fn keep(&self, digest: Digest, credential: &Arc<Credential>, changes: u64) {
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.changes.load(Ordering::Acquire) == changes {
            known.insert(digest, credential.clone());
        }
    }

    /// The credential of a row, unless it is revoked, or its user doesn't work.
    async fn load(&self, tx: &Tx<System>, row: api_keys::entity::Model) -> Result<Option<Arc<Credential>>> {
        if row.revoked_at.is_some() {
            return Ok(None);
        }
        if let Some(user) = row.user_id {
            let find = tx.find_any::<users::entity::Entity>();
            let user = find
                .filter(users::entity::Column::TenantId.eq(row.tenant_id))
                .filter(users::entity::Column::Id.eq(user))
                .one()
                .await?;
            if !user.is_some_and(|user| user.is_active) {
                return Ok(None);
            }
        }
        let Some(tenant) = tenants::queries::get(tx, row.tenant_id).await? else { return Ok(None) };
        let scopes: Vec<String> = serde_json::from_value(row.scopes).map_err(Error::internal)?;
        let mut scope = Scope::new(row.tenant_id, Actor::ApiKey(row.id), Permissions::new(scopes));
        scope.user = row.user_id;
        scope.project = row.project_id;
        Ok(Some(Arc::new(Credential {
            id: row.id,
            user: row.user_id,
            scope,
            tenant_status: tenant.status,
            expires_at: row.expires_at,
            used_at: AtomicI64::new(0),
        })))
    }

    async fn preload(&self) -> Result<()> {
        let changes = self.changes.load(Ordering::Acquire);
        let tx = self.db.system_read(&system()).await?;
        let rows = tx
            .find_any::<api_keys::entity::Entity>()
            .filter(api_keys::entity::Column::RevokedAt.is_null())
            .order_by_desc(api_keys::entity::Column::Id)
            .limit(PRELOAD)
            .all()
            .await?;
        for row in rows {
            let digest = Digest::try_from(row.key_hash.as_slice()).map_err(Error::internal)?;
            if let Some(credential) = self.load(&tx, row).await? {
                self.keep(digest, &credential, changes);
            }
        }
        Ok(())
    }

    fn forget(&self, notice: &Notice) {
        let touched = |credential: &Credential| match notice.topic.as_str() {
            "api_keys" => credential.id.0 == notice.subject,
            "users" => credential.user.is_some_and(|user| user.0 == notice.subject),
            "projects" => credential.scope.project.is_some_and(|project| project.0 == notice.subject),
            "tenants" => credential.scope.tenant().0 == notice.subject,
            _ => false,
        };
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::AcqRel);
        known.retain(|_, credential| !touched(credential));
    }

    /// Writes down when keys were last used. Called every half minute.
    pub async fn write_last_used(&self) -> Result<()> {
        let used: Vec<(ApiKeyId, TenantId, i64)> = {
            let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let used = known.values().map(|c| (c.id, c.scope.tenant(), c.used_at.swap(0, Ordering::Relaxed)));
            used.filter(|(_, _, at)| *at != 0).collect()
        };
        if used.is_empty() {
            return Ok(());
        }
        let tx = self.db.system_write(&system()).await?;
        for (id, tenant, at) in used {
            tx.update_all::<api_keys::entity::Entity>()
                .set(api_keys::entity::Column::LastUsedAt, DateTime::from_timestamp_micros(at))
                .filter(api_keys::entity::Column::TenantId.eq(tenant))
                .filter(api_keys::entity::Column::Id.eq(id))
                .exec()
                .await?;
        }
        tx.commit().await
    }
}

fn system() -> Scope {
    Scope::system(TenantId::NIL, "authentication")
}

fn refused() -> Error {
    Error::new(Kind::Unauthenticated, "invalid_api_key", "this API key is not known, or has been revoked")
}
