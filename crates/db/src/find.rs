//! Queries that can't forget the tenant.

use sea_orm::sea_query::{Condition, DeleteStatement, Expr, SelectStatement, UpdateStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DeleteMany, EntityTrait, IdenStatic, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, UpdateMany,
};
use uuid::Uuid;

use loam_kernel::{Page, PageQuery, Result};

use crate::conn::Conn;
use crate::error::map_err;

/// An entity whose rows belong to tenants.
pub trait TenantEntity: EntityTrait {
    /// The column that holds the tenant.
    const TENANT: Self::Column;
    /// The column that lists are sorted by.
    const ID: Self::Column;
}

/// A query on one entity, already bound to its tenant; narrow it with SeaORM's own `filter`, `order_by`, `limit`, ….
#[must_use]
pub struct Find<'tx, E: EntityTrait> {
    select: Select<E>,
    conn: &'tx Conn,
}

impl<'tx, E: EntityTrait> Find<'tx, E> {
    pub(crate) fn new(select: Select<E>, conn: &'tx Conn) -> Self {
        Self { select, conn }
    }

    /// All rows.
    pub async fn all(self) -> Result<Vec<E::Model>> {
        self.select.all(self.conn).await.map_err(map_err)
    }

    /// The first row.
    pub async fn one(self) -> Result<Option<E::Model>> {
        self.select.one(self.conn).await.map_err(map_err)
    }

    /// The number of rows.
    pub async fn count(self) -> Result<u64>
    where
        E::Model: Send + Sync,
    {
        self.select.count(self.conn).await.map_err(map_err)
    }

    /// The rows turned into another type, for queries that select less or more than a whole row.
    pub async fn into<M: sea_orm::FromQueryResult>(self) -> Result<Vec<M>> {
        self.select.into_model::<M>().all(self.conn).await.map_err(map_err)
    }

    /// The rows, locked until the transaction ends, so that a check and the change after it are one.
    pub fn locked(mut self) -> Self {
        // SQLite's one writer is lock enough, and it knows no such clause
        if self.conn.get_database_backend() == DbBackend::Postgres {
            self.select = self.select.lock_exclusive();
        }
        self
    }
}

impl<E: EntityTrait> Find<'_, E> {
    /// Only rows whose column, a JSON array, holds one of these texts.
    pub fn holding(self, column: E::Column, texts: &[String]) -> Self {
        let (name, texts) = (column.as_str(), texts.iter().map(String::as_str));
        let dialect = self.conn.get_database_backend();
        let any = texts.fold(Condition::any(), |any, text| {
            any.add(match dialect {
                DbBackend::Sqlite => Expr::cust_with_values(
                    format!("EXISTS (SELECT 1 FROM json_each(\"{name}\") AS held WHERE held.value = ?)"),
                    [text],
                ),
                _ => Expr::cust_with_values(format!("\"{name}\" @> jsonb_build_array($1::text)"), [text]),
            })
        });
        self.filter(any)
    }
}

impl<E: TenantEntity> Find<'_, E> {
    /// One page, newest first.
    pub async fn page(self, query: &PageQuery, id: impl Fn(&E::Model) -> Uuid) -> Result<Page<E::Model>> {
        let limit = query.limit()?;
        let mut find = self;
        if let Some(after) = query.after()? {
            find = find.filter(E::ID.lt(after));
        }
        let rows = find.order_by_desc(E::ID).limit(limit + 1).all().await?;
        Ok(Page::from_rows(rows, limit, id))
    }
}

impl<E: EntityTrait> QueryFilter for Find<'_, E> {
    type QueryStatement = SelectStatement;

    fn query(&mut self) -> &mut SelectStatement {
        QueryFilter::query(&mut self.select)
    }
}

impl<E: EntityTrait> QueryOrder for Find<'_, E> {
    type QueryStatement = SelectStatement;

    fn query(&mut self) -> &mut SelectStatement {
        QueryOrder::query(&mut self.select)
    }
}

impl<E: EntityTrait> QuerySelect for Find<'_, E> {
    type QueryStatement = SelectStatement;

    fn query(&mut self) -> &mut SelectStatement {
        QuerySelect::query(&mut self.select)
    }
}

/// A deletion of many rows, already bound to its tenant.
#[must_use]
pub struct Delete<'tx, E: EntityTrait>(pub(crate) DeleteMany<E>, pub(crate) &'tx Conn);

impl<E: EntityTrait> Delete<'_, E> {
    /// Deletes, and says how many rows.
    pub async fn exec(self) -> Result<u64> {
        self.0.exec(self.1).await.map(|result| result.rows_affected).map_err(map_err)
    }
}

impl<E: EntityTrait> QueryFilter for Delete<'_, E> {
    type QueryStatement = DeleteStatement;

    fn query(&mut self) -> &mut DeleteStatement {
        QueryFilter::query(&mut self.0)
    }
}

/// A change of many rows, already bound to its tenant.
#[must_use]
pub struct Update<'tx, E: EntityTrait>(pub(crate) UpdateMany<E>, pub(crate) &'tx Conn);

impl<E: EntityTrait> Update<'_, E> {
    /// Sets a column.
    pub fn set(mut self, column: E::Column, value: impl Into<sea_orm::sea_query::SimpleExpr>) -> Self {
        self.0 = self.0.col_expr(column, value.into());
        self
    }

    /// Changes, and says how many rows.
    pub async fn exec(self) -> Result<u64> {
        self.0.exec(self.1).await.map(|result| result.rows_affected).map_err(map_err)
    }
}

impl<E: EntityTrait> QueryFilter for Update<'_, E> {
    type QueryStatement = UpdateStatement;

    fn query(&mut self) -> &mut UpdateStatement {
        QueryFilter::query(&mut self.0)
    }
}
