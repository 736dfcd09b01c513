//! The status of the database for operators.

use std::sync::atomic::Ordering;

use loam_kernel::Result;
use serde::Serialize;
use sqlx::Row;

use crate::conn::SLOW_STATEMENTS;
use crate::connect::{Db, Dialect, Pools};
use crate::error::from_sqlx;
use crate::partitions::PARTITIONED;

/// A month of a partitioned table; on SQLite, which has no partitions, the whole table.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionUse {
    /// The table.
    pub table: String,
    /// The partition; none on SQLite.
    pub partition: Option<String>,
    /// Estimated number of rows; none without an estimate.
    pub rows: Option<i64>,
    /// Bytes on disk, indexes included; none on SQLite, which would have to read them all.
    pub bytes: Option<i64>,
}

impl Dialect {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Db {
    /// The version of the database.
    pub async fn version(&self) -> Result<String> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => sqlx::raw_sql("SELECT sqlite_version()")
                .fetch_one(readers)
                .await
                .and_then(|row| row.try_get(0)),
            Pools::Postgres { pool, .. } => {
                sqlx::raw_sql("SHOW server_version").fetch_one(pool).await.and_then(|row| row.try_get(0))
            }
        }
        .map_err(from_sqlx)
    }

    /// Sizes of the tables that grow with traffic.
    pub async fn partition_use(&self) -> Result<Vec<PartitionUse>> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let mut all = Vec::new();
                for table in PARTITIONED {
                    // the number of rows ever written, including deleted ones: it is available without a scan
                    let sql = format!("SELECT coalesce(max(rowid), 0) FROM {table}");
                    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                        .fetch_one(readers)
                        .await
                        .map_err(from_sqlx)?;
                    let rows = Some(row.try_get(0).map_err(from_sqlx)?);
                    all.push(PartitionUse { table: (*table).to_owned(), partition: None, rows, bytes: None });
                }
                Ok(all)
            }
            Pools::Postgres { pool, .. } => {
                let sql = "SELECT p.relname::text, c.relname::text, nullif(c.reltuples, -1)::bigint, pg_total_relation_size(c.oid) \
                     FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid \
                     WHERE p.relkind = 'p' AND c.relkind = 'r' AND p.relnamespace = 'public'::regnamespace ORDER BY 1, 2";
                let rows = sqlx::raw_sql(sql).fetch_all(pool).await.map_err(from_sqlx)?;
                let read = |row: &sqlx::postgres::PgRow| {
                    let (table, partition) = (row.try_get(0)?, Some(row.try_get(1)?));
                    Ok(PartitionUse { table, partition, rows: row.try_get(2)?, bytes: Some(row.try_get(3)?) })
                };
                rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(from_sqlx)
            }
        }
    }

    /// Updates PostgreSQL's planner statistics after large writes, instead of waiting for autovacuum. SQLite plans only from
    /// the schema.
    pub async fn analyze(&self) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { .. } => Ok(()),
            Pools::Postgres { owner, .. } => {
                sqlx::raw_sql("ANALYZE").execute(owner).await.map(drop).map_err(from_sqlx)
            }
        }
    }
}

/// The number of slow statements of this process since its start.
pub fn slow_statements() -> u64 {
    SLOW_STATEMENTS.load(Ordering::Relaxed)
}
