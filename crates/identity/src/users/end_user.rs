//! End users, identified by the application's own id.

use std::sync::Arc;
use std::time::Duration;

use loam_kernel::{Error, Result, Scope, TenantId, UserId, hex};
use loam_platform::cache::{Cache, CacheSpec};
use loam_platform::notices::Notices;
use sea_orm::{ColumnTrait, QueryFilter, Set};
use serde_json::{Value, json};

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::{Identity, roles, secret};

impl Identity {
    /// The tenant's user with this `external_id`.
    pub async fn user_by_external_id(&self, scope: &Scope, external_id: &str) -> Result<Option<Model>> {
        let tx = self.db.read(scope).await?;
        tx.find::<Entity>().filter(Column::ExternalId.eq(external_id)).one().await
    }

    /// Creates a user at the first request of an end user, or returns the one that a concurrent request has created.
    pub async fn provision_user(&self, scope: &Scope, external_id: &str, metadata: Value) -> Result<Model> {
        let quotas = self.quotas(scope.tenant()).await?;
        let now = self.clock.now();
        // a name or address from outside is not trusted: it could belong to another user
        let name = hex(&secret::digest(external_id)[..16]);
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.clock.id()),
            username: Set(format!("end-user-{name}")),
            email: Set(format!("{name}@end-users.invalid")),
            password_hash: Set(None),
            password_reset_at: Set(None),
            full_name: Set(None),
            roles: Set(json!([roles::built_in::USER])),
            external_id: Set(Some(external_id.to_owned())),
            is_active: Set(true),
            metadata: Set(metadata),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.db.write(scope).await?;
        let is_new = tx.insert_if_new(row).await?;
        let user = tx.find::<Entity>().filter(Column::ExternalId.eq(external_id)).one().await?;
        let user = user.ok_or_else(|| Error::internal("an end user's name belongs to another user"))?;
        if !is_new {
            // a concurrent request of the same user was first
            return Ok(user);
        }
        quotas.check_provisioned(&tx).await?;
        // the user's row contains the issuer's id
        let mut changes = json!({});
        if let (Some(changes), Some(from)) = (changes.as_object_mut(), user.metadata.as_object()) {
            changes.extend(from.clone());
        }
        let notice = self.changes.record(&tx, "create", "users", user.id, changes).await?;
        self.changes.commit(tx, notice).await?;
        Ok(user)
    }
}

const NAMES: CacheSpec =
    CacheSpec { name: "end_users", capacity: 100_000, ttl: Duration::from_mins(30), topics: &["users"] };

/// A cache of users' external ids, which every turn needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct EndUsers(Cache<(TenantId, UserId), Option<Arc<str>>>);

impl EndUsers {
    pub(crate) fn new(notices: &Notices) -> Self {
        Self(Cache::new(NAMES, notices, |notice| Some((notice.tenant, UserId(notice.subject)))))
    }
}

impl Identity {
    /// The application's own id of a user; none if it has none, or the user doesn't exist.
    pub async fn external_id(&self, tenant: TenantId, user: UserId) -> Result<Option<Arc<str>>> {
        let read = async || {
            let tx = self.db.read(&Scope::system(tenant, "conversations")).await?;
            Ok(tx.get::<Entity>(user).await?.and_then(|user| user.external_id).map(Arc::from))
        };
        self.end_users.0.get((tenant, user), read).await
    }
}
