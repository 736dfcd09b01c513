//! Bulk inserts, as used by the drainer.
//!
//! PostgreSQL receives a batch as one array per column (`UNNEST`), as `COPY` is not possible under row-level security;
//! SQLite receives statements with many rows. Both need only a few statements per batch, which makes it fast.

use std::time::Instant;

use chrono::{DateTime, Utc};
use loam_kernel::{Error, Result};
use sea_orm::{EntityTrait, IdenStatic, Iterable};
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Executor};
use uuid::Uuid;

use crate::conn::{Conn, observe};
use crate::connect::Dialect;
use crate::error::from_sqlx;
use crate::tx::{System, Tenant, Tx};

/// The values of one column, one per row.
pub enum Column {
    /// `uuid`.
    Uuid(Vec<Option<Uuid>>),
    /// `text`.
    Text(Vec<Option<String>>),
    /// `integer`.
    Int(Vec<Option<i32>>),
    /// `bigint`.
    BigInt(Vec<Option<i64>>),
    /// `double precision`.
    Double(Vec<Option<f64>>),
    /// `boolean`.
    Bool(Vec<Option<bool>>),
    /// `timestamptz`.
    Time(Vec<Option<DateTime<Utc>>>),
    /// `bytea`.
    Bytes(Vec<Option<Vec<u8>>>),
    /// `jsonb`, as text.
    Json(Vec<Option<String>>),
}

/// What happens to a row whose primary key already exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The batch fails.
    Fail,
    /// Non-null values replace the old ones.
    Merge,
    /// The same, except for the columns named here, such as counters. A key must not occur twice in one batch.
    Fold(&'static [(&'static str, Fold)]),
}

/// How a value is merged with the existing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// The sum.
    Sum,
    /// The minimum.
    Least,
    /// The maximum.
    Greatest,
    /// The old value.
    Keep,
}

/// Rows for one table, by column.
pub struct Bulk {
    table: &'static str,
    /// All of one length.
    columns: Vec<(&'static str, Column)>,
    on_conflict: OnConflict,
    /// Columns of the entity that would silently be null.
    unlisted: Vec<&'static str>,
}

/// Rows per statement on SQLite. Fixed sizes, so that a few prepared statements serve every batch.
const CHUNKS: [usize; 3] = [128, 16, 1];

macro_rules! each_kind {
    ($column:expr, $values:ident => $body:expr) => {
        match $column {
            Column::Uuid($values) => $body,
            Column::Text($values) | Column::Json($values) => $body,
            Column::Int($values) => $body,
            Column::BigInt($values) => $body,
            Column::Double($values) => $body,
            Column::Bool($values) => $body,
            Column::Time($values) => $body,
            Column::Bytes($values) => $body,
        }
    };
}
pub(crate) use each_kind;

impl Column {
    pub(crate) fn array_type(&self) -> &'static str {
        match self {
            Self::Uuid(_) => "uuid[]",
            Self::Text(_) | Self::Json(_) => "text[]",
            Self::Int(_) => "int4[]",
            Self::BigInt(_) => "int8[]",
            Self::Double(_) => "float8[]",
            Self::Bool(_) => "bool[]",
            Self::Time(_) => "timestamptz[]",
            Self::Bytes(_) => "bytea[]",
        }
    }

    pub(crate) fn len(&self) -> usize {
        each_kind!(self, values => values.len())
    }
}

impl Bulk {
    /// Rows of an entity. Every column must be listed, or writing fails; the tenant may be the transaction's.
    pub fn of<E: EntityTrait>(columns: Vec<(&'static str, Column)>, on_conflict: OnConflict) -> Self {
        let listed = |name: &str| name == "tenant_id" || columns.iter().any(|(listed, _)| *listed == name);
        let unlisted = E::Column::iter().map(|column| column.as_str()).filter(|name| !listed(name)).collect();
        Self { table: E::default().table_name(), columns, on_conflict, unlisted }
    }

    /// Leaves out columns that another write sets, or none.
    #[must_use]
    pub fn without(mut self, columns: &[&str]) -> Self {
        self.unlisted.retain(|name| !columns.contains(name));
        self
    }

    /// Rows of some columns of a table; the others are null or have their defaults.
    pub fn partial(
        table: &'static str,
        columns: Vec<(&'static str, Column)>,
        on_conflict: OnConflict,
    ) -> Self {
        Self { table, columns, on_conflict, unlisted: Vec::new() }
    }

    fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn conflict_clause(&self, dialect: Dialect) -> String {
        let folds = match self.on_conflict {
            OnConflict::Fail => return String::new(),
            OnConflict::Merge => &[],
            OnConflict::Fold(folds) => folds,
        };
        let table = self.table;
        let (least, greatest) = match dialect {
            Dialect::Sqlite => ("min", "max"),
            Dialect::Postgres => ("LEAST", "GREATEST"),
        };
        let names = self.columns.iter().map(|(name, _)| *name).filter(|n| !matches!(*n, "tenant_id" | "id"));
        let set = names.filter_map(|n| {
            let fold = folds.iter().find(|(name, _)| *name == n).map(|(_, fold)| *fold);
            Some(match fold {
                None => format!("{n} = COALESCE(excluded.{n}, {table}.{n})"),
                Some(Fold::Sum) => format!("{n} = {table}.{n} + excluded.{n}"),
                Some(Fold::Least) => format!("{n} = {least}({table}.{n}, excluded.{n})"),
                Some(Fold::Greatest) => format!("{n} = {greatest}({table}.{n}, excluded.{n})"),
                Some(Fold::Keep) => return None,
            })
        });
        let set: Vec<String> = set.collect();
        format!(" ON CONFLICT (tenant_id, id) DO UPDATE SET {}", set.join(", "))
    }
}

impl Tx<System> {
    /// Writes the rows, each with the tenant of its `tenant_id`.
    pub async fn bulk(&self, bulk: Bulk) -> Result<()> {
        self.write_bulk(bulk).await
    }
}

impl Tx<Tenant> {
    /// Writes the rows with the scope's tenant, regardless of their `tenant_id`.
    pub async fn bulk(&self, mut bulk: Bulk) -> Result<()> {
        bulk.columns.retain(|(name, _)| *name != "tenant_id");
        let tenant = vec![Some(self.scope().tenant().0); bulk.rows()];
        bulk.columns.push(("tenant_id", Column::Uuid(tenant)));
        self.write_bulk(bulk).await
    }
}

impl<R> Tx<R> {
    async fn write_bulk(&self, mut bulk: Bulk) -> Result<()> {
        if let Some(name) = bulk.unlisted.first() {
            return Err(Error::internal(format!("{}.{name} is not among the columns to write", bulk.table)));
        }
        if bulk.rows() == 0 {
            return Ok(());
        }
        let started = Instant::now();
        match &self.conn {
            Conn::Postgres(tx, _) => {
                let mut arguments = PgArguments::default();
                let (mut arrays, mut selected) = (Vec::new(), Vec::new());
                let (names, conflict) = (bulk.names(), bulk.conflict_clause(Dialect::Postgres));
                for (i, (name, column)) in bulk.columns.into_iter().enumerate() {
                    arrays.push(format!("${}::{}", i + 1, column.array_type()));
                    selected.push(if matches!(column, Column::Json(_)) {
                        format!("{name}::jsonb")
                    } else {
                        name.to_owned()
                    });
                    each_kind!(column, values => arguments.add(values))
                        .map_err(|e| from_sqlx(sqlx::Error::Encode(e)))?;
                }
                let sql = format!(
                    "INSERT INTO {} ({names}) SELECT {} FROM UNNEST({}) AS rows({names}){conflict}",
                    bulk.table,
                    selected.join(", "),
                    arrays.join(", "),
                );
                let query = sqlx::query_with(AssertSqlSafe(sql.as_str()), arguments)
                    .persistent(self.conn.keeps_statements());
                (&mut **tx.lock().await).execute(query).await.map_err(from_sqlx)?;
                observe(&sql, started);
            }
            Conn::Sqlite(tx) => {
                let mut tx = tx.lock().await;
                let mut from = 0;
                while from < bulk.rows() {
                    let left = bulk.rows() - from;
                    let chunk = CHUNKS.into_iter().find(|size| *size <= left).unwrap_or(1);
                    let row = format!("({})", vec!["?"; bulk.columns.len()].join(", "));
                    let sql = format!(
                        "INSERT INTO {} ({}) VALUES {}{}",
                        bulk.table,
                        bulk.names(),
                        vec![row; chunk].join(", "),
                        bulk.conflict_clause(Dialect::Sqlite),
                    );
                    let mut arguments = SqliteArguments::default();
                    for i in from..from + chunk {
                        for (_, column) in &mut bulk.columns {
                            // moved, as borrowed values would be copied
                            each_kind!(column, values => arguments.add(values[i].take()))
                                .map_err(|e| from_sqlx(sqlx::Error::Encode(e)))?;
                        }
                    }
                    let query = sqlx::query_with(AssertSqlSafe(sql.as_str()), arguments);
                    (&mut **tx).execute(query).await.map_err(from_sqlx)?;
                    from += chunk;
                }
                observe(bulk.table, started);
            }
        }
        Ok(())
    }
}
