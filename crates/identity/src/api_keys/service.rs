//! The rules of API keys.

use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_http::surface::next_version;
use loam_kernel::{
    ApiKeyId, Error, Kind, Page, PageQuery, ProjectId, Result, Scope, TenantId, UserId, bounded,
};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::entity::{ActiveModel, Column, Entity, Model};
use super::maker::{Maker, Wanted};
use crate::{Identity, permissions, projects, secret, users};

/// A key to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyCreate {
    /// Name for people.
    pub name: String,
    /// Permissions, none that you don't have yourself; `gateway:call` unless given. The key never may more than you may
    /// at the time that it is used.
    pub scopes: Option<Vec<String>>,
    /// The user it belongs to: it works while the user does, and never may more than the user may at the time. Your own
    /// unless you see every user's rows.
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

    /// Makes a key, with no more rights than its maker has, now and whenever it is used.
    pub async fn create_api_key(&self, scope: &Scope, new: ApiKeyCreate) -> Result<NewKey> {
        bounded("name", &new.name, 100)?;
        let scopes = new.scopes.clone().unwrap_or_else(|| vec!["gateway:call".to_owned()]);
        permissions::check("scopes", &scopes)?;
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
        let wanted = Wanted { scopes: &scopes, user: new.user_id, project: new.project_id };
        let maker = self.maker(&tx, &wanted).await?;
        let made = NewRow {
            name: new.name,
            scopes,
            user_id: new.user_id,
            project_id: new.project_id,
            expires_at: new.expires_at,
            maker,
            is_operator: new.user_id.is_none() && scope.is_operator(),
        };
        let made = insert(self, &tx, made).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Makes the caller the maker of a key, whose rights it is bound by from then on in place of the former maker's.
    pub async fn take_over_api_key(&self, scope: &Scope, id: ApiKeyId) -> Result<Model> {
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        if old.revoked_at.is_some() {
            return Err(Error::new(
                Kind::Conflict,
                "wrong_state",
                "this key has been revoked; make a new one",
            ));
        }
        let scopes: Vec<String> = serde_json::from_value(old.scopes.clone()).map_err(Error::internal)?;
        let wanted = Wanted { scopes: &scopes, user: old.user_id, project: old.project_id };
        let maker = self.maker(&tx, &wanted).await?;
        self.check_not_above(&tx, id, maker).await?;
        let is_operator = old.user_id.is_none() && scope.is_operator();
        let updated_at = next_version(old.updated_at, self.clock.now());
        let mut row = old.into_active_model();
        row.maker_tenant_id = Set(maker.tenant);
        row.maker_user_id = Set(maker.user);
        row.maker_key_id = Set(maker.key);
        row.is_operator = Set(Some(is_operator));
        row.updated_at = Set(updated_at);
        let row = tx.update(row).await?;
        let changes = json!({ "made_by": maker.label() });
        let notice = self.changes.record(&tx, "take_over", "api_keys", id, changes).await?;
        self.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Refuses to make a key the maker of what it was made with.
    async fn check_not_above(&self, tx: &Tx<Tenant>, id: ApiKeyId, maker: Maker) -> Result<()> {
        let mut above = maker.key;
        while let Some(key) = above {
            if key == id {
                let message =
                    "this key was made with the one that is to be taken over; use another credential";
                return Err(Error::new(Kind::Conflict, "made_with_it", message));
            }
            above = tx.get::<Entity>(key).await?.and_then(|row| row.maker_key_id);
        }
        Ok(())
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

/// A key to be inserted; what it may do, who made it and whom it belongs to has been checked.
#[derive(Default)]
pub(crate) struct NewRow {
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) user_id: Option<UserId>,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) maker: Maker,
    pub(crate) is_operator: bool,
}

impl NewRow {
    /// A tenant's first key, made by the instance: it may do everything.
    pub(crate) fn first(is_operator: bool) -> Self {
        let (name, scopes) = ("first key".to_owned(), vec!["*".to_owned()]);
        Self { name, scopes, is_operator, ..Self::default() }
    }
}

/// Makes a key in a transaction.
pub(crate) async fn insert<R>(identity: &Identity, tx: &Tx<R>, new: NewRow) -> Result<NewKey> {
    insert_key(identity, tx, new, secret::generate(&identity.clock)).await
}

/// The same with a key that is given, as at the first start.
pub(crate) async fn insert_key<R>(
    identity: &Identity,
    tx: &Tx<R>,
    new: NewRow,
    key: Zeroizing<String>,
) -> Result<NewKey> {
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
        maker_tenant_id: Set(new.maker.tenant),
        maker_user_id: Set(new.maker.user),
        maker_key_id: Set(new.maker.key),
        is_operator: Set(Some(new.is_operator)),
        expires_at: Set(new.expires_at),
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
