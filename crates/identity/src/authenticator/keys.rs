//! API keys.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use chrono::DateTime;
use loam_db::{System, Tx};
use loam_kernel::{Actor, ApiKeyId, Error, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::credential::{Credential, Source};
use super::makers::Seen;
use super::{Authenticator, Digest, MAX_UNKNOWN, UNKNOWN_FOR, refused};
use crate::api_keys::entity::{Column, Entity, Model};

/// Keys read at the start, the newest first.
pub(super) const PRELOAD: u64 = 10_000;

impl Authenticator {
    pub(super) async fn key(&self, digest: Digest) -> Result<Arc<Credential>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        match known {
            Some(credential) => Ok(credential),
            // apart, so that what nearly every request passes stays small
            None => Box::pin(self.look_up(digest)).await,
        }
    }

    async fn look_up(&self, digest: Digest) -> Result<Arc<Credential>> {
        self.refuse_unknown(&digest)?;
        let changes = self.changes.load(Ordering::Acquire);
        let tx = self.system_read().await?;
        let row = tx.find_any::<Entity>().filter(Column::KeyHash.eq(digest.to_vec())).one().await?;
        let credential = match row {
            Some(row) => self.load_key(&tx, &row, &mut Seen::default()).await?,
            None => self.load_project_key(&tx, digest).await?,
        };
        let Some(credential) = credential else { return Err(self.remember_unknown(digest)) };
        let credential = Arc::new(credential);
        self.keep(&self.known, digest, &credential, changes);
        Ok(credential)
    }

    /// Refuses at once what was unknown a moment ago.
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
        unknown.insert(digest, now + UNKNOWN_FOR);
        refused()
    }

    /// The credential of a row, unless it is revoked, or its user or maker doesn't work. It may what all of them may.
    pub(super) async fn load_key(
        &self,
        tx: &Tx<System>,
        row: &Model,
        seen: &mut Seen,
    ) -> Result<Option<Credential>> {
        let Some(held) = self.held(tx, row, seen).await? else { return Ok(None) };
        let Some(status) = self.tenant_status(tx, row.tenant_id).await? else { return Ok(None) };
        let mut scope = Scope::new(row.tenant_id, Actor::ApiKey(row.id), held.permissions);
        scope = scope.with_operator(held.operator);
        scope.user = row.user_id;
        scope.project = row.project_id;
        let mut credential = Credential::new(Source::Key(row.id), scope, status);
        credential.behind = held.behind;
        credential.roles_of = held.roles_of;
        credential.expires_at = held.expires_at;
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
        let mut seen = Seen::default();
        for row in rows {
            let digest = Digest::try_from(row.key_hash.as_slice()).map_err(Error::internal)?;
            if let Some(credential) = self.load_key(&tx, &row, &mut seen).await? {
                self.keep(&self.known, digest, &Arc::new(credential), changes);
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
