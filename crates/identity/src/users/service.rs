//! The rules of users.

use loam_db::{System, Tenant, Tx};
use loam_http::surface::present;
use loam_kernel::{
    Error, ExpectedVersion, Page, PageQuery, Result, Scope, TenantId, UserId, bounded, merge_object,
};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, FromQueryResult, IdenStatic, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use loam_platform::changes::{Audited, changed_fields, check_version};
use loam_platform::personal::erasure::Model as Erasure;

use super::entity::{ActiveModel, Column, Entity, Model};
use super::names::{named, stored_email, stored_username};
use crate::password::Urgency;
use crate::roles::built_in;
use crate::roles::rights::Locked;
use crate::{Identity, login_sessions, password, secret};

/// A new user.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// Login name; unique in the tenant. It is stored in Unicode's composed form (NFC).
    pub username: String,
    /// E-mail address; unique in the tenant, whatever its case. It is stored in lower case.
    pub email: String,
    /// Password of 8 to 256 characters; without one the user can't log in with a password.
    pub password: Option<String>,
    /// Instead of a password, an imported bcrypt hash with a cost of at most 14; it is replaced by Argon2id at the first
    /// log-in.
    pub password_hash: Option<String>,
    /// Full name.
    pub full_name: Option<String>,
    /// Names of roles; defaults to `user`.
    pub roles: Option<Vec<String>>,
    /// Your application's own id of this user; unique in the tenant.
    pub external_id: Option<String>,
    /// Whether the user is active; defaults to true.
    pub is_active: Option<bool>,
    /// Your own data, which Loam does not interpret.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a user: omitted fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// E-mail address; unique in the tenant, whatever its case. It is stored in lower case.
    pub email: Option<String>,
    /// A new password, 8 to 256 characters.
    pub password: Option<String>,
    /// Full name; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub full_name: Option<Option<String>>,
    /// Names of roles.
    pub roles: Option<Vec<String>>,
    /// Your application's own id of this user; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub external_id: Option<Option<String>>,
    /// Whether the user is active.
    pub is_active: Option<bool>,
    /// Fields of your own data to change, which Loam does not interpret; null removes a field.
    pub metadata: Option<Map<String, Value>>,
}

/// Filters for users.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UserFilter {
    /// Only the user with this login name.
    pub username: Option<String>,
    /// Only the user with this id of your application.
    pub external_id: Option<String>,
    /// Only active users, or only inactive ones.
    pub is_active: Option<bool>,
    /// Only users whose login name, full name or e-mail address contains this text, in upper or lower case.
    pub search: Option<String>,
}

impl Identity {
    /// Lists the tenant's users, newest first.
    pub async fn list_users(
        &self,
        scope: &Scope,
        filter: UserFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(username) = filter.username {
            find = find.filter(named(Column::Username, &username));
        }
        if let Some(external_id) = filter.external_id {
            find = find.filter(Column::ExternalId.eq(external_id));
        }
        if let Some(is_active) = filter.is_active {
            find = find.filter(Column::IsActive.eq(is_active));
        }
        let find =
            find.search(&[Column::Username, Column::FullName, Column::Email], filter.search.as_deref())?;
        find.page(page, |row| row.id.0).await
    }

    /// Returns a user.
    pub async fn get_user(&self, scope: &Scope, id: UserId) -> Result<Model> {
        self.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a user.
    pub async fn create_user(&self, scope: &Scope, new: UserCreate) -> Result<Model> {
        let new = stored_form(new);
        let roles = new.roles.clone().unwrap_or_else(usual_roles);
        // everything is validated before hashing, which is slow on purpose
        check_new(&new)?;
        let quotas = self.quotas(scope.tenant()).await?;
        let tx = self.db.read(scope).await?;
        quotas.check_users(&tx).await?;
        self.check_roles(&tx, "roles", &roles, Locked::No).await?;
        let names = [(Column::Username, Some(&new.username)), (Column::Email, Some(&new.email))];
        for (column, value) in names.into_iter().chain([(Column::ExternalId, new.external_id.as_ref())]) {
            check_free(&tx, None, column, value).await?;
        }
        drop(tx);
        let row = self.new_user(scope.tenant(), new).await?;
        let tx = self.db.write(scope).await?;
        quotas.check_users(&tx).await?;
        self.check_roles(&tx, "roles", &roles, Locked::Yes).await?;
        let user = insert(&tx, row).await?;
        let notice = self.changes.record_row::<Entity>(&tx, "create", &user).await?;
        self.changes.commit(tx, notice).await?;
        Ok(user)
    }

    /// The validated row of a new user, with the password hashed.
    pub(crate) async fn new_user(&self, tenant: TenantId, new: UserCreate) -> Result<ActiveModel> {
        let new = stored_form(new);
        check_new(&new)?;
        let password_hash = match (new.password, new.password_hash) {
            (Some(password), _) => Some(self.hash_set(tenant, password).await?),
            (None, Some(hash)) => {
                self.passwords.imported(&hash);
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
            roles: Set(json!(new.roles.unwrap_or_else(usual_roles))),
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
        version: &ExpectedVersion,
        mut new: UserUpdate,
    ) -> Result<Model> {
        new.email = new.email.map(|email| stored_email(&email));
        if let Some(email) = &new.email {
            check_email(email)?;
        }
        check_optional(
            new.full_name.as_ref().and_then(|n| n.as_deref()),
            new.external_id.as_ref().and_then(|n| n.as_deref()),
        )?;
        new.password.as_deref().map_or(Ok(()), |password| password::check("password", password))?;
        // hashed before the row is locked, and after validation: hashing is slow on purpose
        let password_hash = match &new.password {
            Some(password) => {
                let tx = self.db.read(scope).await?;
                let old = tx.get::<Entity>(id).await?.ok_or_else(Entity::missing)?;
                self.check_update(&tx, &old, version, &new, Locked::No).await?;
                drop(tx);
                Some(self.hash_set(scope.tenant(), password.clone()).await?)
            }
            None => None,
        };
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        self.check_update(&tx, &old, version, &new, Locked::Yes).await?;
        let before = old.clone();
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
        if let Some(change) = new.metadata {
            row.metadata = Set(merge_object("metadata", row.metadata.as_ref(), change)?);
        }
        let user = self.changes.save(&tx, row).await.map_err(duplicate)?;
        let mut changes = Entity::view(&user);
        changes["fields"] = changed(&before, &user);
        changes["password"] = json!(if new_password { "changed" } else { "unchanged" });
        if new_password {
            login_sessions::service::revoke_all(&tx, id, None, self.clock.now()).await?;
        }
        let notice = self.changes.record(&tx, "update", "users", id, changes).await?;
        self.check_owner_left(&tx, &before).await?;
        self.changes.commit(tx, notice).await?;
        Ok(user)
    }

    async fn check_update(
        &self,
        tx: &Tx<Tenant>,
        old: &Model,
        version: &ExpectedVersion,
        new: &UserUpdate,
        locked: Locked,
    ) -> Result<()> {
        check_version::<Entity>(Some(old), version)?;
        self.check_above(tx, old).await?;
        if new.password.is_some() || new.external_id.is_some() {
            self.check_becoming(tx, old).await?;
        }
        self.check_roles(tx, "roles", new.roles.as_deref().unwrap_or_default(), locked).await?;
        let external_id = new.external_id.as_ref().and_then(Option::as_ref);
        for (column, value) in [(Column::Email, new.email.as_ref()), (Column::ExternalId, external_id)] {
            check_free(tx, Some(old.id), column, value).await?;
        }
        Ok(())
    }

    async fn hash_set(&self, tenant: TenantId, password: String) -> Result<String> {
        self.passwords.hash(Urgency::Setting, tenant, Zeroizing::new(password)).await
    }

    /// Resets a user's password, to be changed at the next log-in, and ends the user's sessions.
    pub async fn reset_password(&self, scope: &Scope, id: UserId) -> Result<Zeroizing<String>> {
        let password = secret::generate_password(&self.clock);
        let tx = self.db.read(scope).await?;
        let old = tx.get::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        self.check_above(&tx, &old).await?;
        self.check_becoming(&tx, &old).await?;
        drop(tx);
        let hash = self.hash_set(scope.tenant(), password.to_string()).await?;
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        self.check_above(&tx, &old).await?;
        self.check_becoming(&tx, &old).await?;
        let now = self.clock.now();
        let mut row = old.into_active_model();
        row.password_hash = Set(Some(hash));
        row.password_reset_at = Set(Some(now));
        self.changes.save(&tx, row).await?;
        let ended = login_sessions::service::revoke_all(&tx, id, None, now).await?;
        let changes = json!({ "password": "reset", "login_sessions_revoked": ended });
        let notice = self.changes.record(&tx, "reset_password", "users", id, changes).await?;
        self.changes.commit(tx, notice).await?;
        Ok(password)
    }

    /// Deletes a user with all data about them: the user's access ends before this returns, and an erasure removes the rest.
    pub async fn delete_user(&self, scope: &Scope, id: UserId) -> Result<Erasure> {
        self.erase_existing_user(scope, id).await
    }
}

pub(crate) async fn insert<R>(tx: &Tx<R>, row: ActiveModel) -> Result<Model> {
    tx.insert(row).await.map_err(duplicate)
}

/// The highest cost of bcrypt hashes in any tenant; 0 without any. It has its own index.
pub(crate) async fn max_bcrypt_cost(tx: &Tx<System>) -> Result<u32> {
    #[derive(FromQueryResult)]
    struct Row {
        cost: String,
    }
    let find = tx.find_any::<Entity>().filter(Expr::cust("substr(password_hash, 1, 2) = '$2'"));
    let cost = Expr::cust("substr(password_hash, 5, 2)");
    let rows: Vec<Row> =
        find.select_only().column_as(cost.clone(), "cost").order_by_desc(cost).limit(1).into().await?;
    Ok(rows.first().and_then(|row| row.cost.parse().ok()).unwrap_or_default())
}

fn usual_roles() -> Vec<String> {
    vec![built_in::USER.to_owned()]
}

/// Rejects a value that another user has; the database rejects concurrent inserts.
async fn check_free(
    tx: &Tx<Tenant>,
    but: Option<UserId>,
    column: Column,
    value: Option<&String>,
) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let others = tx.find::<Entity>().filter(named(column, value)).all().await?;
    match others.iter().any(|other| but != Some(other.id)) {
        true => Err(duplicate_field(column.as_str())),
        false => Ok(()),
    }
}

/// A new user with its names as they are stored.
fn stored_form(new: UserCreate) -> UserCreate {
    let (username, email) = (stored_username(&new.username), stored_email(&new.email));
    UserCreate { username, email, ..new }
}

fn check_new(new: &UserCreate) -> Result<()> {
    bounded("username", &new.username, 50)?;
    check_email(&new.email)?;
    check_optional(new.full_name.as_deref(), new.external_id.as_deref())?;
    match (&new.password, &new.password_hash) {
        (Some(_), Some(_)) => {
            Err(Error::invalid("password_hash", "give either `password` or `password_hash`"))
        }
        (Some(password), None) => password::check("password", password),
        (None, Some(hash)) => password::check_imported("password_hash", hash),
        (None, None) => Ok(()),
    }
}

fn duplicate_field(param: &'static str) -> Error {
    Error::already_exists(param, format!("a user with this {param} already exists"))
}

fn duplicate(error: Error) -> Error {
    if !loam_db::is_unique_violation(&error) {
        return error;
    }
    // both databases name the column in their message
    let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let param = ["username", "email", "external_id"]
        .into_iter()
        .find(|name| text.contains(name))
        .unwrap_or("username");
    duplicate_field(param).with_source(error)
}

impl Audited for Entity {
    const NAME: &'static str = "user";
    const UPDATED_AT: Column = Column::UpdatedAt;

    /// Roles and status. Names and addresses are personal and not included; the id identifies the user.
    fn view(user: &Model) -> Value {
        json!({ "roles": user.roles, "is_active": user.is_active })
    }
}

/// The names of the changed personal fields, without their values.
fn changed(before: &Model, after: &Model) -> Value {
    changed_fields(&[
        ("email", before.email != after.email),
        ("full_name", before.full_name != after.full_name),
        ("external_id", before.external_id != after.external_id),
        ("metadata", before.metadata != after.metadata),
    ])
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
