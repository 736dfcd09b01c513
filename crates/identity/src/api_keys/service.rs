//! The rules of API keys.

use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{
    ApiKeyId, Error, Kind, Page, PageQuery, ProjectId, Result, Scope, TenantId, UserId, bounded,
};
use loam_platform::changes::Audited;
use loam_platform::notices::Notice;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::creator::{Creator, RequestedKey};
use super::entity::{ActiveModel, Column, Entity, Model};
use crate::{Identity, permissions, projects, secret, users, web_origins};

/// A new key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyCreate {
    /// Display name.
    pub name: String,
    /// Permissions, limited to your own; defaults to `gateway:call`. Your current permissions limit the key whenever it is
    /// used.
    pub scopes: Option<Vec<String>>,
    /// The user it belongs to. The key is valid while the user is active, and the user's current permissions limit it.
    /// Required, with your own id, unless you can access all users' rows.
    pub user_id: Option<UserId>,
    /// The project whose calls it makes.
    pub project_id: Option<ProjectId>,
    /// Web origins whose pages can use it, such as `https://app.example.com`, or `*`. Requests from pages of other origins
    /// are refused; requests that don't come from a page are not affected. Defaults to the origins of the instance
    /// (`security.cors`).
    pub allowed_origins: Option<Vec<String>>,
    /// Expiry time; defaults to never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Filters for keys.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApiKeyFilter {
    /// Only keys of this user.
    pub user_id: Option<UserId>,
    /// Only keys of this project.
    pub project_id: Option<ProjectId>,
    /// Only keys whose name contains this text, in upper or lower case.
    pub search: Option<String>,
}

/// A new key: the key itself is available only here.
pub struct NewKey {
    /// The stored row.
    pub row: Model,
    /// The key.
    pub key: Zeroizing<String>,
}

impl Identity {
    /// Lists the tenant's keys, including revoked ones, newest first.
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
        find.search(&[Column::Name], filter.search.as_deref())?.page(page, |row| row.id.0).await
    }

    /// One key.
    pub async fn get_api_key(&self, scope: &Scope, id: ApiKeyId) -> Result<Model> {
        self.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a key, limited by its creator's current permissions.
    pub async fn create_api_key(&self, scope: &Scope, new: ApiKeyCreate) -> Result<NewKey> {
        bounded("name", &new.name, 100)?;
        let scopes = new.scopes.clone().unwrap_or_else(|| vec!["gateway:call".to_owned()]);
        permissions::check("scopes", &scopes)?;
        if new.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(Error::invalid("expires_at", "must be in the future"));
        }
        let allowed_origins = new
            .allowed_origins
            .map(|origins| web_origins::validate("allowed_origins", origins))
            .transpose()?;
        let quotas = self.quotas(scope.tenant()).await?;
        let tx = self.db.write(scope).await?;
        quotas.check_api_keys(&tx).await?;
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
        let requested = RequestedKey { scopes: &scopes, user: new.user_id, project: new.project_id };
        let creator = self.creator(&tx, &requested).await?;
        let made = NewRow {
            name: new.name,
            scopes,
            user_id: new.user_id,
            project_id: new.project_id,
            allowed_origins,
            expires_at: new.expires_at,
            creator,
            is_operator: new.user_id.is_none() && scope.is_operator(),
        };
        let (made, notice) = insert(self, &tx, made).await?;
        self.changes.commit(tx, notice).await?;
        Ok(made)
    }

    /// Makes the caller the creator of a key, so that the caller's permissions limit it.
    pub async fn take_over_api_key(&self, scope: &Scope, id: ApiKeyId) -> Result<Model> {
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        if old.revoked_at.is_some() {
            return Err(Error::new(Kind::Conflict, "wrong_state", "this key is revoked; create a new one"));
        }
        let scopes: Vec<String> = serde_json::from_value(old.scopes.clone()).map_err(Error::internal)?;
        let requested = RequestedKey { scopes: &scopes, user: old.user_id, project: old.project_id };
        let creator = self.creator(&tx, &requested).await?;
        self.check_not_above(&tx, id, creator).await?;
        let is_operator = old.user_id.is_none() && scope.is_operator();
        let mut row = old.into_active_model();
        row.maker_tenant_id = Set(creator.tenant);
        row.maker_user_id = Set(creator.user);
        row.maker_key_id = Set(creator.key);
        row.is_operator = Set(Some(is_operator));
        let row = self.changes.save(&tx, row).await?;
        let changes = json!({ "made_by": creator.label() });
        let notice = self.changes.record(&tx, "take_over", "api_keys", id, changes).await?;
        self.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Rejects a cycle: a key can't become the creator of a key that created it.
    async fn check_not_above(&self, tx: &Tx<Tenant>, id: ApiKeyId, creator: Creator) -> Result<()> {
        let mut above = creator.key;
        while let Some(key) = above {
            if key == id {
                let message = "this key was created with the key to take over; use another credential";
                return Err(Error::new(Kind::Conflict, "made_with_it", message));
            }
            above = tx.get::<Entity>(key).await?.and_then(|row| row.maker_key_id);
        }
        Ok(())
    }

    /// Revokes a key: it is invalid on all nodes within a second, and stays listed.
    pub async fn revoke_api_key(&self, scope: &Scope, id: ApiKeyId) -> Result<()> {
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        if old.revoked_at.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        let mut row = old.into_active_model();
        row.revoked_at = Set(Some(now));
        self.changes.save(&tx, row).await?;
        let notice = self.changes.record(&tx, "revoke", "api_keys", id, json!({ "revoked_at": now })).await?;
        self.changes.commit(tx, notice).await
    }
}

/// A key to insert, with validated permissions, creator and owner.
#[derive(Default)]
pub(crate) struct NewRow {
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) user_id: Option<UserId>,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) allowed_origins: Option<Vec<String>>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) creator: Creator,
    pub(crate) is_operator: bool,
}

impl NewRow {
    /// A tenant's first key, created by the instance, with all permissions.
    pub(crate) fn first(is_operator: bool) -> Self {
        let (name, scopes) = ("first key".to_owned(), vec!["*".to_owned()]);
        Self { name, scopes, is_operator, ..Self::default() }
    }
}

/// Creates a key in a transaction.
pub(crate) async fn insert<R>(identity: &Identity, tx: &Tx<R>, new: NewRow) -> Result<(NewKey, Notice)> {
    insert_key(identity, tx, new, secret::generate(&identity.clock)).await
}

/// Like [`insert`] with a given key, as at the first start.
pub(crate) async fn insert_key<R>(
    identity: &Identity,
    tx: &Tx<R>,
    new: NewRow,
    key: Zeroizing<String>,
) -> Result<(NewKey, Notice)> {
    let now = identity.clock.now();
    let row = ActiveModel {
        tenant_id: Set(TenantId::NIL),
        id: Set(identity.clock.id()),
        name: Set(new.name),
        prefix: Set(secret::shown(&key)),
        key_hash: Set(secret::digest(&key).to_vec()),
        scopes: Set(json!(new.scopes)),
        user_id: Set(new.user_id),
        project_id: Set(new.project_id),
        maker_tenant_id: Set(new.creator.tenant),
        maker_user_id: Set(new.creator.user),
        maker_key_id: Set(new.creator.key),
        is_operator: Set(Some(new.is_operator)),
        allowed_origins: Set(new.allowed_origins.map(|origins| json!(origins))),
        expires_at: Set(new.expires_at),
        last_used_at: Set(None),
        revoked_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let row = tx.insert(row).await?;
    let notice = identity.changes.record(tx, "create", "api_keys", row.id, Entity::view(&row)).await?;
    Ok((NewKey { row, key }, notice))
}

impl Audited for Entity {
    const NAME: &'static str = "API key";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({ "name": row.name, "scopes": row.scopes, "user_id": row.user_id, "project_id": row.project_id })
    }
}
