//! API keys.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use chrono::DateTime;
use loam_db::{System, Tx};
use loam_kernel::{Actor, ApiKeyId, Error, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::credential::{Credential, Source};
use super::effective::Lookups;
use super::{Authenticator, Digest, MAX_UNKNOWN, UNKNOWN_TTL, refused};
use crate::api_keys::entity::{Column, Entity, Model};

/// Keys that are loaded at the start, newest first.
pub(super) const PRELOAD: u64 = 10_000;

impl Authenticator {
    pub(super) async fn key(&self, digest: Digest) -> Result<Arc<Credential>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        match known {
            Some(credential) => Ok(credential),
            // a separate function, so that the future of nearly every request stays small
            None => Box::pin(self.look_up(digest)).await,
        }
    }

    async fn look_up(&self, digest: Digest) -> Result<Arc<Credential>> {
        self.refuse_unknown(&digest)?;
        let changes = self.changes.load(Ordering::Acquire);
        let tx = self.system_read().await?;
        let row = tx.find_any::<Entity>().filter(Column::KeyHash.eq(digest.to_vec())).one().await?;
        let credential = match row {
            Some(row) => self.load_key(&tx, &row, &mut Lookups::default()).await?,
            None => self.load_project_key(&tx, digest).await?,
        };
        let Some(credential) = credential else { return Err(self.remember_unknown(digest)) };
        let credential = Arc::new(credential);
        self.cache(&self.known, digest, &credential, changes);
        Ok(credential)
    }

    /// Rejects a key that was unknown a moment ago, without a query.
    pub(super) fn refuse_unknown(&self, digest: &Digest) -> Result<()> {
        let now = self.clock().now().timestamp_micros();
        let until = self.unknown.read().unwrap_or_else(PoisonError::into_inner).get(digest).copied();
        if until.is_some_and(|until| now < until) { Err(refused()) } else { Ok(()) }
    }

    pub(super) fn remember_unknown(&self, digest: Digest) -> Error {
        let now = self.clock().now().timestamp_micros();
        let mut unknown = self.unknown.write().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= MAX_UNKNOWN {
            unknown.clear();
        }
        unknown.insert(digest, now + UNKNOWN_TTL);
        refused()
    }

    /// The credential of a row, unless it is revoked or its user or creator is inactive. Its permissions are the
    /// intersection of theirs.
    pub(super) async fn load_key(
        &self,
        tx: &Tx<System>,
        row: &Model,
        lookups: &mut Lookups,
    ) -> Result<Option<Credential>> {
        let Some(effective) = self.effective(tx, row, lookups).await? else { return Ok(None) };
        let Some(status) = self.tenant_status(tx, row.tenant_id).await? else { return Ok(None) };
        let mut scope = Scope::new(row.tenant_id, Actor::ApiKey(row.id), effective.permissions);
        scope = scope.with_operator(effective.operator);
        scope.user = row.user_id;
        scope.project = row.project_id;
        let mut credential = Credential::new(Source::Key(row.id), scope, status);
        credential.behind = effective.behind;
        credential.roles_of = effective.roles_of;
        credential.allowed_origins = match &row.allowed_origins {
            Some(origins) => Some(serde_json::from_value(origins.clone()).map_err(Error::internal)?),
            None => None,
        };
        credential.expires_at = effective.expires_at;
        Ok(Some(credential))
    }

    pub(super) async fn preload(&self) -> Result<()> {
        let changes = self.changes.load(Ordering::Acquire);
        let tx = self.system_read().await?;
        let rows = tx
            .find_any::<Entity>()
            .filter(Column::RevokedAt.is_null())
            .order_by_desc(Column::Id)
            .limit(PRELOAD)
            .all()
            .await?;
        let mut lookups = Lookups::default();
        for row in rows {
            let digest = Digest::try_from(row.key_hash.as_slice()).map_err(Error::internal)?;
            if let Some(credential) = self.load_key(&tx, &row, &mut lookups).await? {
                self.cache(&self.known, digest, &Arc::new(credential), changes);
            }
        }
        self.preload_project_keys(&tx, changes).await
    }
}

pub(super) async fn write_used(tx: &Tx<System>, tenant: TenantId, id: ApiKeyId, at: i64) -> Result<()> {
    tx.update_all::<Entity>()
        .set(Column::LastUsedAt, DateTime::from_timestamp_micros(at))
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Id.eq(id))
        .exec()
        .await?;
    Ok(())
}
