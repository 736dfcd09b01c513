//! Places that are tables.

use async_trait::async_trait;
use loam_db::{Tenant, TenantEntity, Tx};
use loam_kernel::Result;
use sea_orm::sea_query::{Condition, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use super::{Cursor, PersonQuery, PersonalDataStore, Removed, Step};

/// Rows that are removed in one transaction.
const IDS: u64 = 500;
/// Rows that are read whole at once: one may have megabytes.
const ROWS: u64 = 50;

/// The columns that are emptied, and what they hold afterwards.
pub type Emptied<E> = fn() -> Vec<(<E as EntityTrait>::Column, SimpleExpr)>;

/// A table with rows of a person.
pub struct Rows<E: EntityTrait> {
    /// The table.
    pub name: &'static str,
    /// How rows are found, one way after the other.
    pub conditions: fn(&PersonQuery) -> Vec<Condition>,
    /// Which of the rows found are the person's, where the database can't tell.
    pub matches: Option<fn(&E::Model, &PersonQuery) -> bool>,
    /// Whether these are all rows of the tenant.
    pub scans_tenant: bool,
    /// A row's id.
    pub id: fn(&E::Model) -> Uuid,
    /// A row as the person is shown it.
    pub view: fn(E::Model) -> Value,
    /// The columns that are emptied; none: the row is deleted.
    pub emptied: Option<Emptied<E>>,
    /// What stays, and why.
    pub retained: Option<&'static str>,
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

impl<E: TenantEntity> Rows<E>
where
    E::Model: Send + Sync,
{
    /// A table whose rows of a person are deleted.
    pub const fn by_index(
        name: &'static str,
        conditions: fn(&PersonQuery) -> Vec<Condition>,
        id: fn(&E::Model) -> Uuid,
        view: fn(E::Model) -> Value,
    ) -> Self {
        Self { name, conditions, matches: None, scans_tenant: false, id, view, emptied: None, retained: None }
    }

    /// The same of a table in which every row has to be looked at.
    pub const fn by_full_scan(
        name: &'static str,
        matches: fn(&E::Model, &PersonQuery) -> bool,
        id: fn(&E::Model) -> Uuid,
        view: fn(E::Model) -> Value,
    ) -> Self {
        let conditions = |_: &PersonQuery| vec![Condition::all()];
        Self {
            name,
            conditions,
            matches: Some(matches),
            scans_tenant: true,
            id,
            view,
            emptied: None,
            retained: None,
        }
    }

    /// One page of the person's rows, and where to go on.
    async fn page(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<E::Model>, Option<Cursor>)> {
        let Some(condition) = (self.conditions)(who).into_iter().nth(from.part) else {
            return Ok((vec![], None));
        };
        let find = tx.find::<E>().filter(condition).filter(E::ID.gt(from.after));
        let mut rows = find.order_by(E::ID, sea_orm::Order::Asc).limit(ROWS).all().await?;
        let next = from.behind(rows.last().map(self.id), rows.len(), ROWS);
        if let Some(matches) = self.matches {
            rows.retain(|row| matches(row, who));
        }
        Ok((rows, Some(next)))
    }

    /// The same by their ids alone.
    async fn ids(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Uuid>, Option<Cursor>)> {
        if self.matches.is_some() {
            let (rows, next) = self.page(tx, who, from).await?;
            return Ok((rows.iter().map(self.id).collect(), next));
        }
        let Some(condition) = (self.conditions)(who).into_iter().nth(from.part) else {
            return Ok((vec![], None));
        };
        let find = tx.find::<E>().filter(condition).filter(E::ID.gt(from.after)).select_only();
        let find = find.column_as(E::ID, "id").order_by(E::ID, sea_orm::Order::Asc).limit(IDS);
        let ids: Vec<Uuid> = find.into::<Id>().await?.into_iter().map(|row| row.id).collect();
        let next = from.behind(ids.last().copied(), ids.len(), IDS);
        Ok((ids, Some(next)))
    }
}

#[async_trait]
impl<E: TenantEntity> PersonalDataStore for Rows<E>
where
    E::Model: Send + Sync,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn retained(&self) -> Option<&'static str> {
        self.retained
    }

    fn scans_tenant(&self) -> bool {
        self.scans_tenant
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let (ids, next) = self.ids(tx, who, from).await?;
        if ids.is_empty() {
            return Ok(Step { next, ..Step::default() });
        }
        let removed = match self.emptied {
            None => Removed {
                deleted: tx.delete::<E>().filter(E::ID.is_in(ids)).exec().await?,
                ..Removed::default()
            },
            Some(columns) => {
                let update = tx.update_many::<E>().filter(E::ID.is_in(ids));
                let update =
                    columns().into_iter().fold(update, |update, (column, value)| update.set(column, value));
                Removed { emptied: update.exec().await?, ..Removed::default() }
            }
        };
        Ok(Step { removed: vec![(self.name, removed)], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let (rows, next) = self.page(tx, who, from).await?;
        Ok((rows.into_iter().map(self.view).collect(), next))
    }
}
