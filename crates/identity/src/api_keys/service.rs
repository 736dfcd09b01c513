//! The rules of API keys.

use chrono::{DateTime, Utc};
use loam_db::Tx;
use loam_kernel::{ApiKeyId, Error, Page, PageQuery, ProjectId, Result, Scope, TenantId, UserId, bounded};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::{Identity, permissions, projects, secret, users};

/// A key to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyCreate {
    /// Name for people.
    pub name: String,
    /// Permissions, none that you don't have yourself; `gateway:call` unless given.
    pub scopes: Option<Vec<String>>,
    /// The user it belongs to: it works while the user does, and never may more than the user may at the time.
    pub user_id: Option<UserId>,
    /// The project whose calls it makes.
    pub project_id: Option<ProjectId>,
    /// When it ends; never unless given.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which keys to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApiKeyFilter {
    /// Only this user's.
    pub user_id: Option<UserId>,
    /// Only this project's.
    pub project_id: Option<ProjectId>,
}

/// A key just made: the only time that the key itself is known.
pub struct NewKey {
    /// What is kept.
    pub row: Model,
    /// The key.
    pub key: Zeroizing<String>,
}

impl Identity {
    /// The tenant's keys, newest first; revoked ones too.
    pub async fn list_api_keys(
        &self,
        scope: &Scope,
        filter: &ApiKeyFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(user) = filter.user_id {
            find = find.filter(Column::UserId.eq(user));
        }
        if let Some(project) = filter.project_id {
            find = find.filter(Column::ProjectId.eq(project));
        }
        find.page(page, |row| row.id.0).await
    }

    /// One key.
    pub async fn get_api_key(&self, scope: &Scope, id: ApiKeyId) -> Result<Model> {
        self.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(missing)
    }

    /// Makes a key, with no more rights than its maker's.
    pub async fn create_api_key(&self, scope: &Scope, new: ApiKeyCreate) -> Result<NewKey> {
        bounded("name", &new.name, 100)?;
        let scopes = new.scopes.clone().unwrap_or_else(|| vec!["gateway:call".to_owned()]);
        permissions::check("scopes", &scopes)?;
        scope
            .permissions()
            .cover(&scopes)
            .map_err(|lacking| Error::forbidden(&lacking).with_param("scopes"))?;
        self.check_instance_scopes(scope, &scopes)?;
        if new.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(Error::invalid("expires_at", "must be in the future"));
        }
        let tx = self.db.write(scope).await?;
        if let Some(user) = new.user_id
            && tx.get::<users::entity::Entity>(user).await?.is_none()
        {
            return Err(Error::invalid("user_id", "there is no such user"));
        }
        if let Some(project) = new.project_id
            && tx.get::<projects::entity::Entity>(project).await?.is_none()
        {
            return Err(Error::invalid("project_id", "there is no such project"));
        }
        let name = new.name.clone();
        let made = insert(self, &tx, &name, scopes, Some(new)).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// A key of nobody's in the operators' tenant that may do something to tenants is an operator: only operators make
    /// one.
    fn check_instance_scopes(&self, scope: &Scope, scopes: &[String]) -> Result<()> {
        let home = Some(scope.tenant()) == self.default_tenant();
        let beyond =
            |name: &String| name == "*" || name.starts_with("tenants:") || name.starts_with("signing_keys:");
        match scopes.iter().any(beyond) && home {
            true => self.require_operator(scope).map_err(|e| e.with_param("scopes")),
            false => Ok(()),
        }
    }

    /// Revokes a key: within a second it works nowhere. It stays listed.
    pub async fn revoke_api_key(&self, scope: &Scope, id: ApiKeyId) -> Result<()> {
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        if old.revoked_at.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        let mut row = old.into_active_model();
        row.revoked_at = Set(Some(now));
        row.updated_at = Set(now);
        tx.update(row).await?;
        let notice = self.changes.record(&tx, "revoke", "api_keys", id, json!({ "revoked_at": now })).await?;
        self.changes.commit(tx, notice).await
    }
}

/// Makes a key in a transaction; what it may do and whom it belongs to has been checked.
pub(crate) async fn insert<R>(
    identity: &Identity,
    tx: &Tx<R>,
    name: &str,
    scopes: Vec<String>,
    new: Option<ApiKeyCreate>,
) -> Result<NewKey> {
    insert_key(identity, tx, name, scopes, new, secret::generate(&identity.clock)).await
}

/// The same with a key that is given, as at the first start.
pub(crate) async fn insert_key<R>(
    identity: &Identity,
    tx: &Tx<R>,
    name: &str,
    scopes: Vec<String>,
    new: Option<ApiKeyCreate>,
    key: Zeroizing<String>,
) -> Result<NewKey> {
    let now = identity.clock.now();
    let new = new.as_ref();
    let row = ActiveModel {
        tenant_id: Set(TenantId::NIL),
        id: Set(identity.clock.id()),
        name: Set(name.to_owned()),
        prefix: Set(secret::shown(&key)),
        key_hash: Set(secret::digest(&key).to_vec()),
        scopes: Set(json!(scopes)),
        user_id: Set(new.and_then(|new| new.user_id)),
        project_id: Set(new.and_then(|new| new.project_id)),
        expires_at: Set(new.and_then(|new| new.expires_at)),
        last_used_at: Set(None),
        revoked_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let row = tx.insert(row).await?;
    let changes = json!({ "name": row.name, "scopes": row.scopes, "user_id": row.user_id, "project_id": row.project_id });
    identity.changes.record(tx, "create", "api_keys", row.id, changes).await?;
    Ok(NewKey { row, key })
}

fn missing() -> Error {
    Error::not_found("API key")
}
