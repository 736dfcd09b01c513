//! Changes of rows: one way to lock, check the version, write, audit and announce, all in one transaction.

use chrono::{DateTime, Utc};
use loam_db::{Tenant, TenantEntity, Tx};
use loam_kernel::{Clock, Error, ExpectedVersion, Result, etag, next_version};
use sea_orm::sea_query::ValueType;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, ModelTrait, QueryFilter,
};
use serde_json::Value;
use uuid::Uuid;

use crate::audit_logs::{self, Change};
use crate::notices::{Notice, Notices};

/// An entity whose changes are audited, and whose rows have a version for `If-Match`.
pub trait Audited: TenantEntity {
    /// Its name in the error message of an unknown id.
    const NAME: &'static str;
    /// The column with the time of the last change.
    const UPDATED_AT: Self::Column;

    /// What the audit trail records of a row: no secret, and no text that a user wrote.
    fn view(row: &Self::Model) -> Value;

    /// The error of an unknown id.
    fn missing() -> Error {
        Error::not_found(Self::NAME)
    }
}

/// The names of the fields that changed but that an entity's view doesn't show, such as texts that a user wrote.
#[must_use]
pub fn changed_fields(fields: &[(&str, bool)]) -> Value {
    fields.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect()
}

/// The row of an active model.
type ModelOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Model;

/// Locks a row to be changed.
///
/// # Errors
/// `NotFound` for an unknown id. `PreconditionFailed` if its version isn't the expected one.
pub async fn lock_version<E: Audited>(
    tx: &Tx<Tenant>,
    id: impl Into<Uuid>,
    version: &ExpectedVersion,
) -> Result<E::Model> {
    let row = tx.get_locked::<E>(id).await?.ok_or_else(E::missing)?;
    check_version::<E>(Some(&row), version)?;
    Ok(row)
}

/// Checks the version of a row. That of a row that doesn't exist yet is the start of 1970.
///
/// # Errors
/// `PreconditionFailed` if it isn't the expected one.
pub fn check_version<E: Audited>(row: Option<&E::Model>, version: &ExpectedVersion) -> Result<()> {
    let updated_at = row.map_or(Ok(DateTime::UNIX_EPOCH), |row| read(row.get(E::UPDATED_AT)))?;
    version.check(&etag(updated_at))
}

fn read<T: ValueType>(value: sea_orm::Value) -> Result<T> {
    <T as ValueType>::try_from(value).map_err(Error::internal)
}

/// Records and announces changes. Cheap to clone.
#[derive(Clone)]
pub struct Changes {
    clock: Clock,
    notices: Notices,
}

impl Changes {
    /// Changes at this clock's time, announced to these subscribers.
    pub fn new(clock: Clock, notices: Notices) -> Self {
        Self { clock, notices }
    }

    /// Inserts a row and commits.
    ///
    /// # Errors
    /// On a database error, such as a duplicate.
    pub async fn create<A>(&self, tx: Tx<Tenant>, row: A) -> Result<ModelOf<A>>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: Audited,
        ModelOf<A>: IntoActiveModel<A>,
    {
        let row = tx.insert(row).await?;
        let notice = self.record_row::<A::Entity>(&tx, "create", &row).await?;
        self.commit(tx, notice).await?;
        Ok(row)
    }

    /// Writes a changed row as its next version and commits.
    ///
    /// # Errors
    /// On a database error, such as a duplicate.
    pub async fn update<A>(&self, tx: Tx<Tenant>, row: A) -> Result<ModelOf<A>>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: Audited,
        ModelOf<A>: IntoActiveModel<A>,
    {
        let row = self.save(&tx, row).await?;
        let notice = self.record_row::<A::Entity>(&tx, "update", &row).await?;
        self.commit(tx, notice).await?;
        Ok(row)
    }

    /// Deletes a row and commits; the audit trail records what was deleted.
    ///
    /// # Errors
    /// `NotFound` for an unknown id.
    pub async fn delete<E: Audited>(&self, tx: Tx<Tenant>, id: impl Into<Uuid>) -> Result<()> {
        let row = tx.get_locked::<E>(id).await?.ok_or_else(E::missing)?;
        let id: Uuid = read(row.get(E::ID))?;
        tx.delete::<E>().filter(E::ID.eq(id)).exec().await?;
        let notice = self.record_row::<E>(&tx, "delete", &row).await?;
        self.commit(tx, notice).await
    }

    /// Writes a changed row as its next version. The caller records the change and commits.
    ///
    /// # Errors
    /// On a database error, such as a duplicate.
    pub async fn save<A>(&self, tx: &Tx<Tenant>, mut row: A) -> Result<ModelOf<A>>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: Audited,
        ModelOf<A>: IntoActiveModel<A>,
    {
        let before = row.get(A::Entity::UPDATED_AT).into_value();
        let before: DateTime<Utc> =
            read(before.ok_or_else(|| Error::internal("a changed row has no version"))?)?;
        row.set(A::Entity::UPDATED_AT, next_version(before, self.clock.now()).into());
        tx.update(row).await
    }

    /// Records a change of a row with the entity's view of it, and announces it, in its transaction.
    ///
    /// # Errors
    /// On a database error.
    pub async fn record_row<E: Audited>(
        &self,
        tx: &Tx<Tenant>,
        action: &'static str,
        row: &E::Model,
    ) -> Result<Notice> {
        self.record(tx, action, E::default().table_name(), read::<Uuid>(row.get(E::ID))?, E::view(row)).await
    }

    /// Records a change and announces it, in its transaction.
    pub async fn record<R>(
        &self,
        tx: &Tx<R>,
        action: &'static str,
        resource: &'static str,
        id: impl Into<Uuid>,
        changes: Value,
    ) -> Result<Notice> {
        let id = id.into();
        let change = Change { action, resource_type: resource, resource_id: &id.to_string(), changes };
        audit_logs::record(tx, &self.clock, change).await?;
        self.notices.announce(tx, &self.clock, resource, id).await
    }

    /// Notifies this process's own caches of further changes of a transaction that is committed.
    pub fn publish(&self, notices: &[Notice]) {
        notices.iter().for_each(|notice| self.notices.publish(notice));
    }

    /// Commits, then notifies this process's own caches.
    pub async fn commit<R>(&self, tx: Tx<R>, notice: Notice) -> Result<()> {
        tx.commit().await?;
        self.notices.publish(&notice);
        Ok(())
    }
}
