//! What a key may at this moment: what it says, its user may, and whoever made it may.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_kernel::{ApiKeyId, Error, Permissions, Result, TenantId, UserId};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::Authenticator;
use super::users::Standing;
use crate::api_keys::entity::{Column, Entity as ApiKeys, Model};
use crate::api_keys::maker::{MAX_DEPTH, Maker};
use crate::permissions;

/// What has been looked up already, where many keys are.
#[derive(Default)]
pub(super) struct Seen {
    users: HashMap<UserId, Option<Standing>>,
    keys: HashMap<ApiKeyId, Option<Model>>,
}

/// What a key, or who made it, may.
pub(super) struct Held {
    pub(super) permissions: Permissions,
    pub(super) operator: bool,
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// The user that it acts as.
    user: Option<UserId>,
    tenant: TenantId,
    /// Keys and users that this depends on, beside the key itself.
    pub(super) behind: Vec<Uuid>,
    /// Tenants whose roles this depends on.
    pub(super) roles_of: Vec<TenantId>,
}

impl Authenticator {
    /// What a key may now; none when it is revoked, its user doesn't work, or this is so of whoever made it.
    pub(super) async fn held(&self, tx: &Tx<System>, row: &Model, seen: &mut Seen) -> Result<Option<Held>> {
        // from the key to its first maker …
        let (mut keys, mut first) = (vec![row.clone()], Maker::of(row));
        while let (Some(tenant), Some(id)) = (first.tenant, first.key) {
            if keys.len() > MAX_DEPTH {
                return Ok(None);
            }
            let Some(made) = self.maker_key(tx, tenant, id, seen).await? else { return Ok(None) };
            first = Maker::of(&made);
            keys.push(made);
        }
        let mut held = None;
        if let (Some(tenant), Some(id)) = (first.tenant, first.user) {
            let Some(standing) = self.seen_user(tx, tenant, id, seen).await? else { return Ok(None) };
            held = Some(Held {
                permissions: standing.permissions.clone(),
                operator: standing.operator,
                expires_at: None,
                user: Some(id),
                tenant,
                behind: vec![id.0],
                roles_of: vec![tenant],
            });
        }
        // … and back: nobody in between has more than who made them
        for key in keys.iter().rev() {
            held = self.narrowed(tx, key, held, seen).await?;
            if held.is_none() {
                return Ok(None);
            }
        }
        Ok(held)
    }

    /// What a key may that somebody made who may this.
    async fn narrowed(
        &self,
        tx: &Tx<System>,
        key: &Model,
        maker: Option<Held>,
        seen: &mut Seen,
    ) -> Result<Option<Held>> {
        if key.revoked_at.is_some() {
            return Ok(None);
        }
        let scopes: Vec<String> = serde_json::from_value(key.scopes.clone()).map_err(Error::internal)?;
        let mut held = Held {
            operator: self.is_home(key.tenant_id) && is_operator(key, &scopes),
            permissions: Permissions::new(scopes),
            expires_at: key.expires_at,
            user: key.user_id,
            tenant: key.tenant_id,
            behind: vec![key.id.0],
            roles_of: Vec::new(),
        };
        if let Some(user) = key.user_id {
            let Some(standing) = self.seen_user(tx, key.tenant_id, user, seen).await? else {
                return Ok(None);
            };
            held.permissions = held.permissions.within(&standing.permissions);
            held.operator = standing.operator;
            held.behind.push(user.0);
            held.roles_of.push(key.tenant_id);
        }
        let Some(maker) = maker else { return Ok(Some(held)) };
        if maker.tenant != key.tenant_id && !(maker.operator && maker.permissions.allows("tenants:open")) {
            return Ok(None);
        }
        held.operator &= maker.operator;
        held.permissions = held.permissions.within(&maker.permissions);
        if maker.user.is_some() && maker.user != held.user && maker.tenant == key.tenant_id {
            held.permissions = permissions::without_beyond_own(&maker.permissions, &held.permissions);
        }
        held.expires_at = [held.expires_at, maker.expires_at].into_iter().flatten().min();
        held.behind.extend(maker.behind);
        held.roles_of.extend(maker.roles_of);
        Ok(Some(held))
    }

    async fn maker_key(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
        id: ApiKeyId,
        seen: &mut Seen,
    ) -> Result<Option<Model>> {
        if let Some(known) = seen.keys.get(&id) {
            return Ok(known.clone());
        }
        let find = tx.find_any::<ApiKeys>().filter(Column::TenantId.eq(tenant));
        let row = find.filter(Column::Id.eq(id)).one().await?;
        seen.keys.insert(id, row.clone());
        Ok(row)
    }

    async fn seen_user<'a>(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
        id: UserId,
        seen: &'a mut Seen,
    ) -> Result<Option<&'a Standing>> {
        let standing = match seen.users.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.standing(tx, tenant, id).await?),
        };
        Ok(standing.as_ref())
    }
}

/// Whether a key of no user, in the operators' tenant, is an operator's. Of a key from before that was kept, what only
/// operators could hand on says so; one that reads the instance's figures goes on doing that.
fn is_operator(key: &Model, scopes: &[String]) -> bool {
    key.is_operator.unwrap_or_else(|| {
        scopes.iter().any(|name| name == "*" || permissions::reaches_beyond(name))
            || scopes.iter().all(|name| name == "metrics:read" || name == "database:read")
    })
}
