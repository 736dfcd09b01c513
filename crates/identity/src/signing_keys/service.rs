//! The rules of signing keys.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Page, PageQuery, Result, Scope, SigningKeyId, TenantId};
use loam_platform::seal::{SealedRows, Visit};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::json;

use super::entity::{ActiveModel, Column, Entity, Model};
use super::keyset::KeySet;
use crate::Identity;
use crate::config::MAX_TOKEN_LIFETIME;
use crate::jwt::{Algorithm, Signer};

/// How long a retired key is trusted: the maximum lifetime of a token, and the allowed clock skew.
const RETIRED_KEY_TRUST: TimeDelta = TimeDelta::seconds(MAX_TOKEN_LIFETIME.as_secs() as i64 + 60);

/// Whether tokens of the key may still be valid.
pub(crate) fn is_trusted(key: &Model, now: DateTime<Utc>) -> bool {
    key.retired_at.is_none_or(|at| now < at + RETIRED_KEY_TRUST)
}

/// The seal context of a key.
pub(crate) fn seal_context(id: SigningKeyId) -> String {
    format!("signing_keys/{id}/private_key")
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::PrivateKey];

    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        row.private_key.as_mut().map_or(Ok(()), |key| visit(&seal_context(row.id), key))
    }
}

impl Identity {
    /// Lists the signing keys, newest first; for operators.
    pub async fn list_signing_keys(&self, scope: &Scope, page: &PageQuery) -> Result<Page<Model>> {
        self.require_operator(scope)?;
        let tx = self.db.system_read(&scope.in_tenant(TenantId::NIL)).await?;
        tx.find::<Entity>().page(page, |row| row.id.0).await
    }

    /// Creates a new key, which signs from now on. Previous keys are trusted until their tokens have expired.
    pub async fn rotate_signing_key(&self, scope: &Scope) -> Result<Model> {
        self.require_operator(scope)?;
        self.rotate(scope).await
    }

    async fn rotate(&self, scope: &Scope) -> Result<Model> {
        let id: SigningKeyId = self.clock.id();
        let pkcs8 = Signer::generate()?;
        let signer = Signer::open(id.0.simple().to_string(), &pkcs8)?;
        let now = self.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            kid: Set(signer.kid.clone()),
            algorithm: Set(Algorithm::EdDsa.name().to_owned()),
            public_key: Set(serde_json::to_value(signer.public()).map_err(Error::internal)?),
            private_key: Set(Some(self.keyring.seal(&self.clock, &seal_context(id), &pkcs8)?)),
            retired_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let mut tx = self.db.system_write(scope).await?;
        tx.update_all::<Entity>()
            .set(Column::RetiredAt, now)
            .set(Column::PrivateKey, Option::<String>::None)
            .set(Column::UpdatedAt, now)
            .filter(Column::RetiredAt.is_null())
            .exec()
            .await?;
        let key = tx.insert_for_any_tenant(row).await?;
        // recorded in the default tenant's audit trail
        if let Some(home) = self.default_tenant() {
            tx.switch_tenant(home);
        }
        let notice =
            self.changes.record(&tx, "rotate", "signing_keys", id, json!({ "kid": key.kid })).await?;
        self.changes.commit(tx, notice).await?;
        Ok(key)
    }

    /// The keys, including a signing one: the first is created with the first token.
    pub(crate) async fn signing_keys(&self) -> Result<std::sync::Arc<KeySet>> {
        let keys = self.signing_keys.get().await?;
        if keys.signer.is_some() {
            return Ok(keys);
        }
        self.rotate(&Scope::system(TenantId::NIL, "signing_keys")).await?;
        self.signing_keys.get().await
    }

    /// Creates a new key when the current one is old, and deletes keys whose tokens have all expired.
    pub(crate) async fn renew_signing_keys(&self, scope: &Scope) -> Result<()> {
        let now = self.clock.now();
        let age = TimeDelta::days(i64::try_from(self.config.signing_key_days).unwrap_or(i64::MAX).min(3650));
        let tx = self.db.system_read(scope).await?;
        let active = tx.find_any::<Entity>().filter(Column::RetiredAt.is_null());
        let newest = active.order_by_desc(Column::Id).limit(1).one().await?;
        drop(tx);
        if newest.is_some_and(|key| key.created_at + age <= now) {
            self.rotate(scope).await?;
        }
        let tx = self.db.system_write(scope).await?;
        tx.delete_any::<Entity>().filter(Column::RetiredAt.lt(now - RETIRED_KEY_TRUST)).exec().await?;
        tx.commit().await
    }
}
