//! In-memory channels by id, with opened secrets. They are looked up across tenants, because incoming
//! messages name no tenant.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_identity::Identity;
use loam_identity::tenants::TenantStatus;
use loam_kernel::{ChannelId, Error, ProjectId, Result, Scope, TenantId};
use loam_platform::cache::{Cache, CacheSpec};
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use sea_orm::{ColumnTrait, QueryFilter};
use zeroize::Zeroizing;

use super::entity::{Column, Entity, Model};
use super::kinds::{self, ChannelConfig};
use super::settings::ChannelSettings;

const CACHE: CacheSpec = CacheSpec {
    name: "channels",
    capacity: 10_000,
    ttl: Duration::from_mins(30),
    topics: &["channels", "tenants"],
};

/// A channel with its configuration parsed and its secrets opened.
pub(super) struct CachedChannel {
    pub(super) id: ChannelId,
    pub(super) tenant: TenantId,
    pub(super) tenant_status: TenantStatus,
    pub(super) project: Option<ProjectId>,
    pub(super) name: String,
    pub(super) config: ChannelConfig,
    pub(super) settings: ChannelSettings,
    pub(super) is_active: bool,
    secret: Zeroizing<String>,
    old_secret: Option<(Zeroizing<String>, DateTime<Utc>)>,
}

impl CachedChannel {
    fn open(keyring: &Keyring, row: Model, tenant_status: TenantStatus) -> Result<Self> {
        let old_secret = match (&row.old_secret, row.old_secret_until) {
            (Some(stored), Some(until)) => Some((kinds::open_secret(keyring, row.id, stored)?, until)),
            _ => None,
        };
        Ok(Self {
            id: row.id,
            tenant: row.tenant_id,
            tenant_status,
            project: row.project_id,
            config: kinds::open(keyring, &row)?,
            secret: kinds::open_secret(keyring, row.id, &row.secret)?,
            old_secret,
            settings: serde_json::from_value(row.settings).map_err(Error::internal)?,
            is_active: row.is_active,
            name: row.name,
        })
    }

    /// The accepted secrets: the current one, then the previous one while it is valid.
    pub(super) fn secrets(&self, now: DateTime<Utc>) -> Vec<&[u8]> {
        let old = self.old_secret.as_ref().filter(|(_, until)| *until > now).map(|(old, _)| old);
        [&self.secret].into_iter().chain(old).map(|secret| secret.as_bytes()).collect()
    }

    /// The current secret.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// The scope for work on behalf of this channel.
    pub(super) fn scope(&self) -> Scope {
        let mut scope = Scope::system(self.tenant, "channels");
        scope.project = self.project;
        scope
    }
}

/// Looks up channels. Cheap to clone.
#[derive(Clone)]
pub(super) struct Directory {
    db: Db,
    identity: Identity,
    keyring: Keyring,
    cache: Cache<ChannelId, Option<Arc<CachedChannel>>>,
}

impl Directory {
    pub(super) fn new(db: Db, identity: Identity, keyring: Keyring, notices: &Notices) -> Self {
        let cache = Cache::new(CACHE, notices, |notice| {
            (notice.topic == "channels").then_some(ChannelId(notice.subject))
        });
        Self { db, identity, keyring, cache }
    }

    /// The channel with this id, of any tenant.
    pub(super) async fn get(&self, id: ChannelId) -> Result<Option<Arc<CachedChannel>>> {
        self.cache.get(id, || self.read(id)).await
    }

    async fn read(&self, id: ChannelId) -> Result<Option<Arc<CachedChannel>>> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "channels")).await?;
        let Some(row) = tx.find_any::<Entity>().filter(Column::Id.eq(id)).one().await? else {
            return Ok(None);
        };
        drop(tx);
        let status = self.identity.tenant_status(row.tenant_id).await?;
        Ok(Some(Arc::new(CachedChannel::open(&self.keyring, row, status)?)))
    }
}
