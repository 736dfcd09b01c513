//! The rules of users.

use loam_db::Tx;
use loam_http::surface::{IfMatch, etag, next_version, present};
use loam_kernel::{Error, Page, PageQuery, Result, Scope, TenantId, UserId, bounded};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use loam_platform::personal::erasure::Model as Erasure;

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::{Identity, login_sessions, password, secret};

/// A user to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// Name to log in with; unique in the tenant.
    pub username: String,
    /// Unique in the tenant.
    pub email: String,
    /// 8 to 256 characters; without one the user can't log in with a password.
    pub password: Option<String>,
    /// In place of a password, its bcrypt hash from elsewhere, of a cost of 14 at most; kept as Argon2id from the first
    /// log-in on.
    pub password_hash: Option<String>,
    /// Name for people.
    pub full_name: Option<String>,
    /// Names of roles; `user` unless given.
    pub roles: Option<Vec<String>>,
    /// Your application's own id of this user; unique in the tenant.
    pub external_id: Option<String>,
    /// Whether the user works; true unless given.
    pub is_active: Option<bool>,
    /// Your own; never interpreted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a user: what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// Unique in the tenant.
    pub email: Option<String>,
    /// A new password, 8 to 256 characters.
    pub password: Option<String>,
    /// Name for people; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub full_name: Option<Option<String>>,
    /// Names of roles.
    pub roles: Option<Vec<String>>,
    /// Your application's own id of this user; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub external_id: Option<Option<String>>,
    /// Whether the user works.
    pub is_active: Option<bool>,
    /// Your own; never interpreted.
    pub metadata: Option<Map<String, Value>>,
}

/// Which users to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UserFilter {
    /// Only the user of this name.
    pub username: Option<String>,
    /// Only the user with this id of your application.
    pub external_id: Option<String>,
    /// Only users that work, or only those that don't.
    pub is_active: Option<bool>,
}

impl Identity {
    /// The tenant's users, newest first.
    pub async fn list_users(
        &self,
        scope: &Scope,
        filter: UserFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(username) = filter.username {
            find = find.filter(Column::Username.eq(username));
        }
        if let Some(external_id) = filter.external_id {
            find = find.filter(Column::ExternalId.eq(external_id));
        }
        if let Some(is_active) = filter.is_active {
            find = find.filter(Column::IsActive.eq(is_active));
        }
        find.page(page, |row| row.id.0).await
    }

    /// One user.
    pub async fn get_user(&self, scope: &Scope, id: UserId) -> Result<Model> {
        self.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(missing)
    }

    /// Makes a user.
    pub async fn create_user(&self, scope: &Scope, new: UserCreate) -> Result<Model> {
        let roles = new.roles.clone().unwrap_or_default();
        let row = self.new_user(new).await?;
        let tx = self.db.write(scope).await?;
        self.check_roles(&tx, "roles", &roles).await?;
        let user = insert(&tx, row).await?;
        let notice = self.changes.record(&tx, "create", "users", user.id, changes(&user)).await?;
        self.changes.commit(tx, notice).await?;
        Ok(user)
    }

    /// The row of a user to be made, checked, with the password hashed.
    pub(crate) async fn new_user(&self, new: UserCreate) -> Result<ActiveModel> {
        bounded("username", &new.username, 50)?;
        check_email(&new.email)?;
        check_optional(new.full_name.as_deref(), new.external_id.as_deref())?;
        let password_hash = match (new.password, new.password_hash) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("password_hash", "give either `password` or `password_hash`"));
            }
            (Some(password), None) => Some(self.passwords.hash("password", password).await?),
            (None, Some(hash)) => {
                password::check_imported("password_hash", &hash)?;
                Some(hash)
            }
            (None, None) => None,
        };
        let now = self.clock.now();
        Ok(ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.clock.id()),
            username: Set(new.username),
            email: Set(new.email),
            password_hash: Set(password_hash),
            password_reset_at: Set(None),
            full_name: Set(new.full_name),
            roles: Set(json!(new.roles.unwrap_or_else(|| vec!["user".to_owned()]))),
            external_id: Set(new.external_id),
            is_active: Set(new.is_active.unwrap_or(true)),
            metadata: Set(new.metadata.into()),
            created_at: Set(now),
            updated_at: Set(now),
        })
    }

    /// Changes a user.
    pub async fn update_user(
        &self,
        scope: &Scope,
        id: UserId,
        version: &IfMatch,
        new: UserUpdate,
    ) -> Result<Model> {
        if let Some(email) = &new.email {
            check_email(email)?;
        }
        check_optional(
            new.full_name.as_ref().and_then(|n| n.as_deref()),
            new.external_id.as_ref().and_then(|n| n.as_deref()),
        )?;
        // hashed before the row is locked: it is slow on purpose
        let password_hash = match new.password {
            Some(password) => Some(self.passwords.hash("password", password).await?),
            None => None,
        };
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        version.check(&etag(old.updated_at))?;
        self.check_above(&tx, &old).await?;
        self.check_roles(&tx, "roles", new.roles.as_deref().unwrap_or_default()).await?;
        let before = old.clone();
        let updated_at = next_version(old.updated_at, self.clock.now());
        let mut row = old.into_active_model();
        let new_password = password_hash.is_some();
        new.email.map(|email| row.email = Set(email));
        if let Some(hash) = password_hash {
            row.password_hash = Set(Some(hash));
            row.password_reset_at = Set(None);
        }
        new.full_name.map(|name| row.full_name = Set(name));
        new.roles.map(|roles| row.roles = Set(json!(roles)));
        new.external_id.map(|external_id| row.external_id = Set(external_id));
        new.is_active.map(|is_active| row.is_active = Set(is_active));
        new.metadata.map(|metadata| row.metadata = Set(metadata.into()));
        row.updated_at = Set(updated_at);
        let user = tx.update(row).await.map_err(taken)?;
        let mut changes = changes(&user);
        changes["password"] = json!(if new_password { "changed" } else { "unchanged" });
        if new_password {
            login_sessions::service::revoke_all(&tx, id, None, self.clock.now()).await?;
        }
        let notice = self.changes.record(&tx, "update", "users", id, changes).await?;
        self.check_owner_left(&tx, &before).await?;
        self.changes.commit(tx, notice).await?;
        Ok(user)
    }

    /// Gives a user a new password, to be changed at the next log-in, and ends the user's sessions.
    pub async fn reset_password(&self, scope: &Scope, id: UserId) -> Result<Zeroizing<String>> {
        let password = secret::one_time(&self.clock);
        let hash = self.passwords.hash("password", password.to_string()).await?;
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        self.check_above(&tx, &old).await?;
        let now = self.clock.now();
        let updated_at = next_version(old.updated_at, now);
        let mut row = old.into_active_model();
        row.password_hash = Set(Some(hash));
        row.password_reset_at = Set(Some(now));
        row.updated_at = Set(updated_at);
        tx.update(row).await?;
        let ended = login_sessions::service::revoke_all(&tx, id, None, now).await?;
        let changes = json!({ "password": "reset", "login_sessions_revoked": ended });
        let notice = self.changes.record(&tx, "reset_password", "users", id, changes).await?;
        self.changes.commit(tx, notice).await?;
        Ok(password)
    }

    /// Deletes a user with all that is known of them: they can do nothing any more when this returns, and an erasure
    /// removes the rest.
    pub async fn delete_user(&self, scope: &Scope, id: UserId) -> Result<Erasure> {
        self.erase_known_user(scope, id).await
    }
}

pub(crate) async fn insert<R>(tx: &Tx<R>, row: ActiveModel) -> Result<Model> {
    tx.insert(row).await.map_err(taken)
}

fn missing() -> Error {
    Error::not_found("user")
}

fn taken(error: Error) -> Error {
    if !loam_db::is_unique_violation(&error) {
        return error;
    }
    // both databases name the column in what they say
    let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let param = ["username", "email", "external_id"]
        .into_iter()
        .find(|name| text.contains(name))
        .unwrap_or("username");
    Error::taken(param, format!("there is a user with this {param} already")).with_source(error)
}

fn changes(user: &Model) -> Value {
    json!({ "username": user.username, "email": user.email, "roles": user.roles, "is_active": user.is_active })
}

fn check_email(email: &str) -> Result<()> {
    bounded("email", email, 255)?;
    let plausible = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if plausible && !email.contains(char::is_whitespace) {
        Ok(())
    } else {
        Err(Error::invalid("email", "is not an e-mail address"))
    }
}

fn check_optional(full_name: Option<&str>, external_id: Option<&str>) -> Result<()> {
    full_name.map_or(Ok(()), |name| bounded("full_name", name, 100))?;
    external_id.map_or(Ok(()), |id| bounded("external_id", id, 255))
}
