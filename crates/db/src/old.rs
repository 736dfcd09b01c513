//! Deletes old rows, or clears columns of them, in small transactions.

use chrono::{DateTime, Utc};
use loam_kernel::{Result, Scope};
use sea_orm::sea_query::{Expr, IntoCondition};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    TryGetable, Value,
};
use uuid::Uuid;

use crate::connect::Db;

/// Rows per transaction.
const BATCH: u64 = 1000;

/// A type that expresses the age of a row.
pub trait Age: TryGetable + Into<Value> + Send + Sync {}

/// A time.
impl Age for DateTime<Utc> {}

/// An id, which starts with its time.
impl Age for Uuid {}

struct Row<A> {
    age: A,
}

impl<A: Age> FromQueryResult for Row<A> {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self { age: row.try_get(prefix, "age")? })
    }
}

impl Db {
    /// Deletes all tenants' rows that are `old`, the oldest `by` a column first, until stopped; returns the number.
    pub async fn delete_old<E: EntityTrait, A: Age>(
        &self,
        scope: &Scope,
        old: impl IntoCondition,
        by: E::Column,
        stopped: impl Fn() -> bool,
    ) -> Result<u64> {
        let (old, mut deleted) = (old.into_condition(), 0);
        while !stopped() {
            let tx = self.system_write(scope).await?;
            let oldest = tx.find_any::<E>().select_only().column_as(by, "age").filter(old.clone());
            let oldest: Vec<Row<A>> = oldest.order_by_asc(by).limit(BATCH).into().await?;
            let Some(last) = oldest.into_iter().next_back() else { break };
            deleted += tx.delete_any::<E>().filter(old.clone()).filter(by.lte(last.age)).exec().await?;
            tx.commit().await?;
        }
        Ok(deleted)
    }

    /// Sets columns of all tenants' rows that are `old`, the oldest `by` a column first and after `after`, until stopped;
    /// `old` must not match a changed row. Returns the number of rows, and the last of them, from which the next call
    /// continues.
    pub async fn clear_old<E: EntityTrait, A: Age + Clone>(
        &self,
        scope: &Scope,
        old: impl IntoCondition,
        by: E::Column,
        after: Option<A>,
        set: &[(E::Column, Value)],
        stopped: impl Fn() -> bool,
    ) -> Result<(u64, Option<A>)> {
        let (old, mut cleared, mut last) = (old.into_condition(), 0, after);
        while !stopped() {
            let mut old = old.clone();
            if let Some(last) = &last {
                old = old.add(by.gt(last.clone()));
            }
            let tx = self.system_write(scope).await?;
            let oldest = tx.find_any::<E>().select_only().column_as(by, "age").filter(old.clone());
            let oldest: Vec<Row<A>> = oldest.order_by_asc(by).limit(BATCH).into().await?;
            let Some(Row { age }) = oldest.into_iter().next_back() else { break };
            let mut update = tx.update_all::<E>();
            for (column, value) in set {
                update = update.set(*column, Expr::val(value.clone()));
            }
            cleared += update.filter(old).filter(by.lte(age.clone())).exec().await?;
            tx.commit().await?;
            last = Some(age);
        }
        Ok((cleared, last))
    }
}
