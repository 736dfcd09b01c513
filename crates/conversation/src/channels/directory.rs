//! Channels by their ids alone, in memory and ready for use: whoever sends a message in names no tenant.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_identity::Identity;
use loam_identity::tenants::entity::TenantStatus;
use loam_kernel::{ChannelId, Error, ProjectId, Result, Scope, TenantId};
use loam_platform::cache::{Cache, CacheSpec};
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use sea_orm::{ColumnTrait, QueryFilter};
use zeroize::Zeroizing;

use super::entity::{Column, Entity, Model};
use super::kinds::{self, Opened};
use super::settings::ChannelSettings;

const CACHE: CacheSpec = CacheSpec {
    name: "channels",
    capacity: 10_000,
    ttl: Duration::from_mins(30),
    topics: &["channels", "tenants"],
};

/// A channel, ready for use.
pub(super) struct Known {
    pub(super) id: ChannelId,
    pub(super) tenant: TenantId,
    pub(super) tenant_status: TenantStatus,
    pub(super) project: Option<ProjectId>,
    pub(super) name: String,
    pub(super) config: Opened,
    pub(super) settings: ChannelSettings,
    pub(super) is_active: bool,
    secret: Zeroizing<String>,
    old_secret: Option<(Zeroizing<String>, DateTime<Utc>)>,
}

impl Known {
    fn open(keyring: &Keyring, row: Model, tenant_status: TenantStatus) -> Result<Self> {
        let old_secret = match (&row.old_secret, row.old_secret_until) {
            (Some(kept), Some(until)) => Some((kinds::open_secret(keyring, row.id, kept)?, until)),
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

    /// The secret; after it the one before, while that still holds.
    pub(super) fn secrets(&self, now: DateTime<Utc>) -> Vec<&[u8]> {
        let old = self.old_secret.as_ref().filter(|(_, until)| *until > now).map(|(old, _)| old);
        [&self.secret].into_iter().chain(old).map(|secret| secret.as_bytes()).collect()
    }

    /// The secret of now.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// For what is done for messages of this channel.
    pub(super) fn scope(&self) -> Scope {
        let mut scope = Scope::system(self.tenant, "channels");
        scope.project = self.project;
        scope
    }
}

/// Knows the channels. Cheap to clone.
#[derive(Clone)]
pub(super) struct Directory {
    db: Db,
    identity: Identity,
    keyring: Keyring,
    cache: Cache<ChannelId, Option<Arc<Known>>>,
}

impl Directory {
    pub(super) fn new(db: Db, identity: Identity, keyring: Keyring, notices: &Notices) -> Self {
        let cache = Cache::new(CACHE, notices, |notice| {
            (notice.topic == "channels").then_some(ChannelId(notice.subject))
        });
        Self { db, identity, keyring, cache }
    }

    /// The channel of any tenant.
    pub(super) async fn get(&self, id: ChannelId) -> Result<Option<Arc<Known>>> {
        self.cache.get(id, || self.read(id)).await
    }

    async fn read(&self, id: ChannelId) -> Result<Option<Arc<Known>>> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "channels")).await?;
        let Some(row) = tx.find_any::<Entity>().filter(Column::Id.eq(id)).one().await? else {
            return Ok(None);
        };
        drop(tx);
        let status = self.identity.tenant_status(row.tenant_id).await?;
        Ok(Some(Arc::new(Known::open(&self.keyring, row, status)?)))
    }
}
