//! Queries that always include the tenant.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{
    Condition, DeleteStatement, Expr, ExprTrait, LockType, SelectStatement, UpdateStatement,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DeleteMany, EntityTrait, FromQueryResult, IdenStatic,
    PaginatorTrait, PartialModelTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, UpdateMany,
    Value,
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use loam_kernel::{Cursor, Error, Order, Page, PageQuery, Result, bounded};

use crate::conn::Conn;
use crate::error::map_err;

/// Maximum length of the text of a search, in characters.
const MAX_SEARCH: usize = 200;

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

    /// Calls `each` with one row after the other. Memory stays constant, and the database reads each row once.
    pub async fn for_each(self, mut each: impl FnMut(E::Model) -> Result<()>) -> Result<()> {
        let statement = self.select.build(self.conn.get_database_backend());
        self.conn
            .for_each_row(statement, |row| each(E::Model::from_query_result(&row, "").map_err(map_err)?))
            .await
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

    /// Some columns of the rows: those that the type has as its fields.
    pub async fn partial<M: PartialModelTrait>(self) -> Result<Vec<M>> {
        self.select.into_partial_model::<M>().all(self.conn).await.map_err(map_err)
    }

    /// The rows as another type, for queries that compute columns. A column that isn't selected is null, and fails unless
    /// its field is optional; for columns of the entity use [`partial`](Self::partial).
    pub async fn into<M: FromQueryResult>(self) -> Result<Vec<M>> {
        self.select.into_model::<M>().all(self.conn).await.map_err(map_err)
    }

    /// The rows, locked until the transaction ends, so that a check and the change after it are one.
    pub fn locked(mut self) -> Self {
        // SQLite has one writer, so it needs no lock, and does not support the clause
        if self.conn.get_database_backend() == DbBackend::Postgres {
            // `FOR UPDATE` would also block inserts of rows that refer to this one. A change of a tenant that waits for the
            // head of its audit trail would be in a deadlock with the change that holds it and adds its audit row.
            self.select = self.select.lock(LockType::NoKeyUpdate);
        }
        self
    }
}

impl<E: EntityTrait> Find<'_, E> {
    /// Selects the values of a column of bytes over a group, as hexadecimal digits separated by spaces.
    pub fn bytes_of_group(self, column: E::Column, alias: &str) -> Self {
        let name = column.as_str();
        let sql = match self.conn.get_database_backend() {
            DbBackend::Sqlite => format!("GROUP_CONCAT(HEX(\"{name}\"), ' ')"),
            _ => format!("STRING_AGG(ENCODE(\"{name}\", 'hex'), ' ')"),
        };
        Self { select: self.select.column_as(Expr::cust(sql), alias), ..self }
    }

    /// Selects the values of a column of JSON over a group, each on a line of its own.
    pub fn json_of_group(self, column: E::Column, alias: &str) -> Self {
        let name = column.as_str();
        let sql = match self.conn.get_database_backend() {
            DbBackend::Sqlite => format!("GROUP_CONCAT(\"{name}\", CHAR(10))"),
            _ => format!("STRING_AGG(\"{name}\"::text, CHR(10))"),
        };
        Self { select: self.select.column_as(Expr::cust(sql), alias), ..self }
    }

    /// Only rows whose column, a JSON object, has all of these fields with these values, which must be texts, numbers,
    /// booleans or null.
    pub fn containing(self, column: E::Column, fields: &Map<String, Json>) -> Self {
        self.contains(column, None, fields)
    }

    /// The same of the object that a field of the column holds.
    pub fn containing_in(self, column: E::Column, field: &'static str, fields: &Map<String, Json>) -> Self {
        self.contains(column, Some(field), fields)
    }

    fn contains(self, column: E::Column, field: Option<&'static str>, fields: &Map<String, Json>) -> Self {
        let name = column.as_str();
        let path = field.map(|field| format!(", '$.\"{field}\"'")).unwrap_or_default();
        let all = match self.conn.get_database_backend() {
            // by the type too: SQLite has no boolean, and takes one for a number
            DbBackend::Sqlite => fields.iter().fold(Condition::all(), |all, (field, value)| {
                let sql = format!(
                    "EXISTS (SELECT 1 FROM json_each(\"{name}\"{path}) AS held, json_each(json_array(json(?))) AS wanted \
                     WHERE held.key = ? AND held.value IS wanted.value AND \
                     (held.type = wanted.type OR held.type IN ('integer', 'real') AND wanted.type IN ('integer', 'real')))"
                );
                all.add(Expr::cust_with_values(sql, [value.to_string(), field.clone()]))
            }),
            _ => {
                let fields = Json::Object(fields.clone());
                let fields = field.map_or_else(|| fields.clone(), |field| json!({ field: fields })).to_string();
                Condition::all().add(Expr::cust_with_values(format!("\"{name}\" @> $1::jsonb"), [fields]))
            }
        };
        self.filter(all)
    }

    /// Only rows of which one of these columns contains the text of a filter `search`, if it is set. Upper and lower case
    /// are the same; on SQLite, those of ASCII letters.
    ///
    /// # Errors
    /// If the text is empty or too long.
    pub fn search(self, columns: &[E::Column], text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(self) };
        bounded("search", text, MAX_SEARCH)?;
        let (function, value) = match self.conn.get_database_backend() {
            DbBackend::Sqlite => ("instr", "?"),
            _ => ("strpos", "$1"),
        };
        let any = columns.iter().map(IdenStatic::as_str).fold(Condition::any(), |any, name| {
            let sql = format!("{function}(lower(\"{name}\"), lower({value})) > 0");
            any.add(Expr::cust_with_values(sql, [text]))
        });
        Ok(self.filter(any))
    }

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

/// A type of sort key.
pub trait SortKey: Into<Value> + Sized {
    /// Encodes it for a cursor.
    fn to_cursor(&self) -> i64;
    /// Decodes it from a cursor.
    fn from_cursor(key: i64) -> Option<Self>;
}

impl SortKey for i64 {
    fn to_cursor(&self) -> i64 {
        *self
    }

    fn from_cursor(key: i64) -> Option<Self> {
        Some(key)
    }
}

impl SortKey for DateTime<Utc> {
    fn to_cursor(&self) -> i64 {
        self.timestamp_micros()
    }

    fn from_cursor(key: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(key)
    }
}

impl SortKey for f64 {
    fn to_cursor(&self) -> i64 {
        self.to_bits().cast_signed()
    }

    fn from_cursor(key: i64) -> Option<Self> {
        let key = Self::from_bits(key.cast_unsigned());
        key.is_finite().then_some(key)
    }
}

impl<E: TenantEntity> Find<'_, E> {
    /// Only rows with ids in a range, for queries that use another index: on PostgreSQL it prunes partitions; on SQLite, which
    /// has none, it must not make the planner choose the primary key.
    pub fn within_ids(self, from: Uuid, before: Uuid) -> Self {
        match self.conn.get_database_backend() {
            DbBackend::Sqlite => {
                let id = E::ID.as_str().to_owned();
                self.filter(Expr::cust_with_values(
                    format!("(+\"{id}\" >= ? AND +\"{id}\" < ?)"),
                    [from, before],
                ))
            }
            _ => self.filter(E::ID.gte(from)).filter(E::ID.lt(before)),
        }
    }

    /// One page, newest first.
    pub async fn page(self, query: &PageQuery, id: impl Fn(&E::Model) -> Uuid) -> Result<Page<E::Model>> {
        let (limit, place) = (query.limit()?, query.position()?);
        let order = direction(Order::Desc, place);
        let mut find = self;
        if let Some(place) = place {
            find = find.filter(match order {
                Order::Desc => E::ID.lt(place.id),
                Order::Asc => E::ID.gt(place.id),
            });
        }
        let rows = find.order_by(E::ID, order_of(order)).limit(limit + 1).all().await?;
        Ok(Page::around(rows, limit, place, |row| (None, id(row))))
    }

    /// One page of a list that is sorted by a column and then by id, for which there is an index on both.
    pub async fn page_by<K: SortKey>(
        self,
        query: &PageQuery,
        order: Order,
        column: E::Column,
        at: impl Fn(&E::Model) -> (K, Uuid),
    ) -> Result<Page<E::Model>> {
        self.sorted(query, order, (column, false), at).await
    }

    /// The same, sorted by a column that no two rows of the list share.
    pub async fn page_by_unique<K: SortKey>(
        self,
        query: &PageQuery,
        order: Order,
        column: E::Column,
        at: impl Fn(&E::Model) -> (K, Uuid),
    ) -> Result<Page<E::Model>> {
        self.sorted(query, order, (column, true), at).await
    }

    /// The same of some columns: those that the type has as its fields.
    pub async fn partial_page_by_unique<M: PartialModelTrait, K: SortKey>(
        self,
        query: &PageQuery,
        order: Order,
        column: E::Column,
        at: impl Fn(&M) -> (K, Uuid),
    ) -> Result<Page<M>> {
        let (find, limit, place) = self.positioned::<K>(query, order, (column, true))?;
        Ok(keyed_page(find.partial().await?, limit, place, at))
    }

    async fn sorted<K: SortKey>(
        self,
        query: &PageQuery,
        order: Order,
        (column, unique): (E::Column, bool),
        at: impl Fn(&E::Model) -> (K, Uuid),
    ) -> Result<Page<E::Model>> {
        let (find, limit, place) = self.positioned::<K>(query, order, (column, unique))?;
        Ok(keyed_page(find.all().await?, limit, place, at))
    }

    /// From the position of a query on, with the rows of a page and one more.
    fn positioned<K: SortKey>(
        self,
        query: &PageQuery,
        order: Order,
        (column, unique): (E::Column, bool),
    ) -> Result<(Self, u64, Option<Cursor>)> {
        let (limit, place) = (query.limit()?, query.position()?);
        let order = direction(order, place);
        let mut find = self;
        if let Some(place) = place {
            let key = K::from_cursor(place.key()?);
            let key = key.ok_or_else(|| Error::invalid("cursor", "is not a cursor of this list"))?;
            let (row, bound): (Expr, Expr) = match unique {
                true => (Expr::col(column), Expr::val(key)),
                false => (
                    Expr::tuple([Expr::col(column), Expr::col(E::ID)]),
                    Expr::tuple([Expr::val(key), Expr::val(place.id)]),
                ),
            };
            find = find.filter(match order {
                Order::Desc => row.lt(bound),
                Order::Asc => row.gt(bound),
            });
        }
        find = find.order_by(column, order_of(order));
        if !unique {
            find = find.order_by(E::ID, order_of(order));
        }
        Ok((find.limit(limit + 1), limit, place))
    }
}

/// A page of a list that is sorted by a key.
fn keyed_page<M, K: SortKey>(
    rows: Vec<M>,
    limit: u64,
    place: Option<Cursor>,
    at: impl Fn(&M) -> (K, Uuid),
) -> Page<M> {
    Page::around(rows, limit, place, |row| {
        let (key, id) = at(row);
        (Some(key.to_cursor()), id)
    })
}

/// The order in which rows are read: reversed for a cursor that points back.
fn direction(order: Order, place: Option<Cursor>) -> Order {
    match (order, place.is_some_and(|place| place.back)) {
        (Order::Asc, false) | (Order::Desc, true) => Order::Asc,
        (Order::Desc, false) | (Order::Asc, true) => Order::Desc,
    }
}

fn order_of(order: Order) -> sea_orm::Order {
    match order {
        Order::Asc => sea_orm::Order::Asc,
        Order::Desc => sea_orm::Order::Desc,
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
