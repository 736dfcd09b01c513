//! The effective permissions of a key: the intersection of its own, its user's and its creators'.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_kernel::{ApiKeyId, Error, Permissions, Result, TenantId, UserId};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::Authenticator;
use super::users::ActiveUser;
use crate::api_keys::creator::{Creator, MAX_DEPTH};
use crate::api_keys::entity::{Column, Entity as ApiKeys, Model};
use crate::permissions;

/// Cached look-ups, for loading many keys.
#[derive(Default)]
pub(super) struct Lookups {
    users: HashMap<UserId, Option<ActiveUser>>,
    keys: HashMap<ApiKeyId, Option<Model>>,
}

/// The effective permissions of a key or its creator.
pub(super) struct EffectivePermissions {
    pub(super) permissions: Permissions,
    pub(super) operator: bool,
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// The user as which it acts.
    user: Option<UserId>,
    tenant: TenantId,
    /// Keys and users that this depends on, besides the key itself.
    pub(super) behind: Vec<Uuid>,
    /// Tenants whose roles this depends on.
    pub(super) roles_of: Vec<TenantId>,
}

impl Authenticator {
    /// The current permissions of a key; none if it, its user or one of its creators is revoked or inactive.
    pub(super) async fn effective(
        &self,
        tx: &Tx<System>,
        row: &Model,
        lookups: &mut Lookups,
    ) -> Result<Option<EffectivePermissions>> {
        // from the key up to its first creator …
        let (mut keys, mut first) = (vec![row.clone()], Creator::of(row));
        while let (Some(tenant), Some(id)) = (first.tenant, first.key) {
            if keys.len() > MAX_DEPTH {
                return Ok(None);
            }
            let Some(made) = self.creator_key(tx, tenant, id, lookups).await? else { return Ok(None) };
            first = Creator::of(&made);
            keys.push(made);
        }
        let mut effective = None;
        if let (Some(tenant), Some(id)) = (first.tenant, first.user) {
            let Some(active_user) = self.looked_up_user(tx, tenant, id, lookups).await? else {
                return Ok(None);
            };
            effective = Some(EffectivePermissions {
                permissions: active_user.permissions.clone(),
                operator: active_user.operator,
                expires_at: None,
                user: Some(id),
                tenant,
                behind: vec![id.0],
                roles_of: vec![tenant],
            });
        }
        // … and down again: no key exceeds its creator
        for key in keys.iter().rev() {
            effective = self.restricted(tx, key, effective, lookups).await?;
            if effective.is_none() {
                return Ok(None);
            }
        }
        Ok(effective)
    }

    /// The permissions of a key, restricted to its creator's.
    async fn restricted(
        &self,
        tx: &Tx<System>,
        key: &Model,
        creator: Option<EffectivePermissions>,
        lookups: &mut Lookups,
    ) -> Result<Option<EffectivePermissions>> {
        if key.revoked_at.is_some() {
            return Ok(None);
        }
        let scopes: Vec<String> = serde_json::from_value(key.scopes.clone()).map_err(Error::internal)?;
        let mut effective = EffectivePermissions {
            operator: self.is_home(key.tenant_id) && is_operator(key, &scopes),
            permissions: Permissions::new(scopes),
            expires_at: key.expires_at,
            user: key.user_id,
            tenant: key.tenant_id,
            behind: vec![key.id.0],
            roles_of: Vec::new(),
        };
        if let Some(user) = key.user_id {
            let Some(active_user) = self.looked_up_user(tx, key.tenant_id, user, lookups).await? else {
                return Ok(None);
            };
            effective.permissions = effective.permissions.within(&active_user.permissions);
            effective.operator = active_user.operator;
            effective.behind.push(user.0);
            effective.roles_of.push(key.tenant_id);
        }
        let Some(creator) = creator else { return Ok(Some(effective)) };
        if creator.tenant != key.tenant_id
            && !(creator.operator && creator.permissions.allows("tenants:open"))
        {
            return Ok(None);
        }
        effective.operator &= creator.operator;
        effective.permissions = effective.permissions.within(&creator.permissions);
        if creator.user.is_some() && creator.user != effective.user && creator.tenant == key.tenant_id {
            effective.permissions =
                permissions::without_ownership_violations(&creator.permissions, &effective.permissions);
        }
        effective.expires_at = [effective.expires_at, creator.expires_at].into_iter().flatten().min();
        effective.behind.extend(creator.behind);
        effective.roles_of.extend(creator.roles_of);
        Ok(Some(effective))
    }

    async fn creator_key(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
        id: ApiKeyId,
        lookups: &mut Lookups,
    ) -> Result<Option<Model>> {
        if let Some(known) = lookups.keys.get(&id) {
            return Ok(known.clone());
        }
        let find = tx.find_any::<ApiKeys>().filter(Column::TenantId.eq(tenant));
        let row = find.filter(Column::Id.eq(id)).one().await?;
        lookups.keys.insert(id, row.clone());
        Ok(row)
    }

    async fn looked_up_user<'a>(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
        id: UserId,
        lookups: &'a mut Lookups,
    ) -> Result<Option<&'a ActiveUser>> {
        let active_user = match lookups.users.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.active_user(tx, tenant, id).await?),
        };
        Ok(active_user.as_ref())
    }
}

/// Whether a key without a user, in the default tenant, is an operator key. For a key from before that was stored, it is
/// derived from permissions that only operators could grant; a key that reads the instance's metrics keeps doing so.
fn is_operator(key: &Model, scopes: &[String]) -> bool {
    key.is_operator.unwrap_or_else(|| {
        scopes.iter().any(|name| name == "*" || permissions::is_instance_wide(name))
            || scopes.iter().all(|name| name == "metrics:read" || name == "database:read")
    })
}
