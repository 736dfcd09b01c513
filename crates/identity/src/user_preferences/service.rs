//! The rules of preferences.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::{Db, Tx};
use loam_kernel::{Error, ExpectedVersion, Kind, Result, Scope, TenantId, UserId, slug};
use loam_platform::cache::{Cache, CacheSpec};
use loam_platform::changes::{Audited, check_version};
use loam_platform::notices::Notices;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, Set};
use serde_json::{Value, json};

use super::declared;
use super::entity::{ActiveModel, Column, Entity, Model};
use super::ownership::{PreferenceOwner, missing};
use crate::{Identity, users};

/// Maximum characters of a key.
const MAX_KEY: usize = 100;
/// Maximum bytes of a value.
const MAX_VALUE: usize = 64 * 1024;
/// Maximum keys of a user.
const MAX_KEYS: u64 = 200;
/// Maximum bytes of a user's cached preferences; larger ones are read each time, so that ten thousand users stay within
/// 160 MB.
const MAX_CACHED_BYTES: usize = 16 * 1024;

const CACHE: CacheSpec = CacheSpec {
    name: "user_preferences",
    capacity: 10_000,
    ttl: Duration::from_hours(2),
    topics: &["user_preferences", "users"],
};

/// The effective preference: as set, or the default.
#[derive(Clone, Debug, PartialEq)]
pub struct Preference {
    /// Key.
    pub key: String,
    /// The effective value, with defaults.
    pub value: Value,
    /// When it was first set; none: it is the default.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last set; none: it is the default.
    pub updated_at: Option<DateTime<Utc>>,
}

/// The cached preferences of a user.
#[derive(Clone)]
enum CachedPreferences {
    Rows(Arc<Vec<Model>>),
    TooLarge,
}

/// A cache of users' preferences. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Preferences {
    db: Db,
    cache: Cache<(TenantId, UserId), CachedPreferences>,
}

impl Preferences {
    pub(crate) fn new(db: Db, notices: &Notices) -> Self {
        // both topics are announced with the user's id, or none where many have changed
        let cache = Cache::new(CACHE, notices, |notice| {
            (!notice.subject.is_nil()).then_some((notice.tenant, UserId(notice.subject)))
        });
        Self { db, cache }
    }

    /// All preferences that a user has set, by key.
    pub(super) async fn of(&self, scope: &Scope, user: UserId) -> Result<Arc<Vec<Model>>> {
        let read = async || {
            let rows = self.read(scope, user).await?;
            let bytes: usize = rows.iter().map(|row| row.key.len() + row.value.to_string().len()).sum();
            Ok(if bytes <= MAX_CACHED_BYTES {
                CachedPreferences::Rows(rows)
            } else {
                CachedPreferences::TooLarge
            })
        };
        match self.cache.get((scope.tenant(), user), read).await? {
            CachedPreferences::Rows(rows) => Ok(rows),
            CachedPreferences::TooLarge => self.read(scope, user).await,
        }
    }

    async fn read(&self, scope: &Scope, user: UserId) -> Result<Arc<Vec<Model>>> {
        let tx = self.db.read(scope).await?;
        if tx.get::<users::entity::Entity>(user).await?.is_none() {
            return Err(missing());
        }
        let find = tx.find::<Entity>().filter(Column::UserId.eq(user)).order_by_asc(Column::Key);
        find.all().await.map(Arc::new)
    }
}

impl Identity {
    /// Lists a user's preferences by key, including the declared ones that are not set.
    pub(crate) async fn list_preferences(
        &self,
        scope: &Scope,
        owner: PreferenceOwner,
    ) -> Result<(UserId, Vec<Preference>)> {
        let user = owner.resolve(scope)?;
        let rows = self.preferences.of(scope, user).await?;
        let unset = declared::all().filter(|declared| rows.iter().all(|row| row.key != declared.key));
        let mut all: Vec<Preference> = unset.filter_map(|declared| default_of(declared.key)).collect();
        all.extend(rows.iter().map(held));
        all.sort_by(|a, b| a.key.cmp(&b.key));
        Ok((user, all))
    }

    /// Returns a preference; a declared one always exists.
    pub(crate) async fn get_preference(
        &self,
        scope: &Scope,
        owner: PreferenceOwner,
        key: &str,
    ) -> Result<(UserId, Preference)> {
        let user = owner.resolve(scope)?;
        let rows = self.preferences.of(scope, user).await?;
        let found = rows.iter().find(|row| row.key == key).map(held).or_else(|| default_of(key));
        found.map(|preference| (user, preference)).ok_or_else(Entity::missing)
    }

    /// Sets a preference.
    pub(crate) async fn set_preference(
        &self,
        scope: &Scope,
        owner: PreferenceOwner,
        key: &str,
        version: &ExpectedVersion,
        value: Value,
    ) -> Result<(UserId, Preference)> {
        let user = owner.resolve(scope)?;
        check(key, &value)?;
        let tx = self.db.write(scope).await?;
        // locking the user's row orders the changes of one user, so that the maximum number is exact
        if tx.get_locked::<users::entity::Entity>(user).await?.is_none() {
            return Err(missing());
        }
        let old = stored(&tx, user, key).await?;
        check_version::<Entity>(old.as_ref(), version)?;
        let row = if let Some(old) = old {
            let mut row = old.into_active_model();
            row.value = Set(value);
            self.changes.save(&tx, row).await?
        } else {
            check_count(&tx, user).await?;
            let now = self.clock.now();
            tx.insert(ActiveModel {
                tenant_id: Set(TenantId::NIL),
                id: Set(self.clock.id()),
                user_id: Set(user),
                key: Set(key.to_owned()),
                value: Set(value),
                created_at: Set(now),
                updated_at: Set(now),
            })
            .await?
        };
        // readers look for the notice of the user
        let notice = self.changes.record(&tx, "set", "user_preferences", user, Entity::view(&row)).await?;
        self.changes.commit(tx, notice).await?;
        Ok((user, held(&row)))
    }

    /// Deletes a preference; a declared key returns to its default.
    pub(crate) async fn delete_preference(
        &self,
        scope: &Scope,
        owner: PreferenceOwner,
        key: &str,
        version: &ExpectedVersion,
    ) -> Result<()> {
        let user = owner.resolve(scope)?;
        let tx = self.db.write(scope).await?;
        if tx.get_locked::<users::entity::Entity>(user).await?.is_none() {
            return Err(missing());
        }
        let old = stored(&tx, user, key).await?.ok_or_else(Entity::missing)?;
        check_version::<Entity>(Some(&old), version)?;
        tx.delete::<Entity>().filter(Column::Id.eq(old.id)).exec().await?;
        let notice = self.changes.record(&tx, "delete", "user_preferences", user, Entity::view(&old)).await?;
        self.changes.commit(tx, notice).await
    }
}

async fn stored<R>(tx: &Tx<R>, user: UserId, key: &str) -> Result<Option<Model>> {
    tx.find::<Entity>().filter(Column::UserId.eq(user)).filter(Column::Key.eq(key)).one().await
}

async fn check_count<R>(tx: &Tx<R>, user: UserId) -> Result<()> {
    if tx.find::<Entity>().filter(Column::UserId.eq(user)).count().await? < MAX_KEYS {
        return Ok(());
    }
    let message = format!("a user can have {MAX_KEYS} preferences; delete one first");
    Err(Error::new(Kind::Conflict, "too_many_preferences", message).with_param("key"))
}

fn check(key: &str, value: &Value) -> Result<()> {
    slug("key", key, MAX_KEY)?;
    if value.to_string().len() > MAX_VALUE {
        return Err(Error::invalid("value", format!("must be at most {MAX_VALUE} bytes of JSON")));
    }
    declared::find(key).map_or(Ok(()), |declared| declared.check(value))
}

fn held(row: &Model) -> Preference {
    let value = match declared::find(&row.key) {
        Some(declared) => declared.filled(&row.value),
        None => row.value.clone(),
    };
    Preference {
        key: row.key.clone(),
        value,
        created_at: Some(row.created_at),
        updated_at: Some(row.updated_at),
    }
}

fn default_of(key: &str) -> Option<Preference> {
    let value = declared::find(key)?.filled(&json!({}));
    Some(Preference { key: key.to_owned(), value, created_at: None, updated_at: None })
}

impl Audited for Entity {
    const NAME: &'static str = "preference";
    const UPDATED_AT: Column = Column::UpdatedAt;

    /// The key, not the value, which is personal.
    fn view(row: &Model) -> Value {
        json!({ "key": row.key })
    }

    fn missing() -> Error {
        Error::new(Kind::NotFound, "not_found", "the user has no preference with this key")
    }
}
