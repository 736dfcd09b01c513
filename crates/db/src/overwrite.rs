//! Overwrites deleted data in the database files: queries don't see a deleted row, but the files still contain it until
//! this has run.
//!
//! **SQLite** overwrites with zeros what it deletes (`PRAGMA secure_delete`, set by `open_sqlite`). The former content
//! of a page is still in the write-ahead log until that is truncated, and a file that was written by a Loam before
//! version 2 of [`SECURE_SINCE_START`] has free pages from then: it is rebuilt once.
//!
//! **PostgreSQL** takes dead rows out of its pages with `VACUUM`. The bytes stay in the unused part of a page until they
//! are written over, and in the server's own write-ahead log and backups: nothing that a client can reach. What
//! is left for the operator is part of the answer.

use std::time::{Duration, Instant};

use loam_kernel::Result;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgPool, Row, SqlitePool};

use crate::connect::{Db, Pools};
use crate::error::from_sqlx;

/// SQLite's `user_version` of a file in which all deleted data was overwritten from the start.
pub(crate) const SECURE_SINCE_START: i64 = 1;

/// How long one attempt to truncate the write-ahead log may block the writer.
const MAX_LOCK: Duration = Duration::from_millis(250);
/// Timeout for the truncation, while readers hold an old snapshot.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// Maximum number of times a table is vacuumed while it has dead rows, which a long transaction may still see.
const VACUUMS: u32 = 3;

/// The result of overwriting deleted rows, and what remains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwritten {
    /// `sqlite` or `postgres`.
    pub database: String,
    /// Whether it is complete: no table was refused, and no reader prevented it.
    pub complete: bool,
    /// What was done for each table.
    pub tables: Vec<OverwrittenTable>,
    /// SQLite's write-ahead log; none on PostgreSQL.
    pub write_ahead_log: Option<TruncatedLog>,
    /// Whether the whole file was rebuilt, because it is from a version that did not overwrite deleted content.
    pub rebuilt: bool,
    /// What Loam can't reach, each with the operator's action.
    pub remains: Vec<String>,
}

/// A table, or a partition of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverwrittenTable {
    /// Its name.
    pub table: String,
    /// `overwritten` (SQLite), `vacuumed`, or `refused` (missing privilege of the owner's login).
    pub what: String,
    /// Dead rows that are still in its pages, by PostgreSQL's count: recent ones, or those that a long transaction may still
    /// see. None on SQLite.
    pub dead_rows: Option<i64>,
}

/// The result of a checkpoint of SQLite's write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruncatedLog {
    /// Whether it is empty now.
    pub truncated: bool,
    /// Number of attempts; a reader with an old snapshot prevents the truncation.
    pub tries: u32,
}

impl Db {
    /// Overwrites the deleted rows of these tables in the database files, as far as that is possible over a connection; of all
    /// tables if none is named. Must be called after the deletion is committed. On SQLite writers wait for at most a quarter
    /// of a second at a time, except for the single rebuild of an older file.
    ///
    /// # Errors
    /// When the database is unavailable. A blocking reader is not an error: the result is not `complete`, and the caller
    /// retries.
    pub async fn overwrite_deleted(&self, tables: &[&str]) -> Result<Overwritten> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => sqlite(writer, tables).await.map_err(from_sqlx),
            Pools::Postgres { owner, .. } => postgres(owner, tables).await.map_err(from_sqlx),
        }
    }
}

impl Db {
    /// Truncates SQLite's write-ahead log, which contains former content of pages until it is reused; none on PostgreSQL. Cheap,
    /// and never rebuilds the file.
    pub async fn truncate_log(&self) -> Result<Option<TruncatedLog>> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => truncate_log(writer).await.map(Some).map_err(from_sqlx),
            Pools::Postgres { .. } => Ok(None),
        }
    }
}

async fn sqlite(writer: &SqlitePool, tables: &[&str]) -> Result<Overwritten, sqlx::Error> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(writer).await?;
    let rebuilt = version < SECURE_SINCE_START;
    if rebuilt {
        let started = Instant::now();
        sqlx::raw_sql("VACUUM").execute(writer).await?;
        mark_secure(writer).await?;
        tracing::info!(
            db.duration_ms = started.elapsed().as_millis(),
            "database rebuilt: content deleted by an earlier version is in it no more"
        );
    }
    let log = truncate_log(writer).await?;
    let overwritten = |table: &&str| OverwrittenTable {
        table: (*table).to_owned(),
        what: "overwritten".to_owned(),
        dead_rows: None,
    };
    Ok(Overwritten {
        database: "sqlite".to_owned(),
        complete: log.truncated,
        tables: tables.iter().map(overwritten).collect(),
        write_ahead_log: Some(log),
        rebuilt,
        remains: vec![
            "backups made before: delete them, or let them expire as your retention of backups says"
                .to_owned(),
            "snapshots of the file system or the disk made before, if there are any".to_owned(),
        ],
    })
}

/// Marks a file in which all deleted data is overwritten.
pub(crate) async fn mark_secure(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    let sql = format!("PRAGMA user_version = {SECURE_SINCE_START}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(writer).await.map(drop)
}

/// Writes the log into the file and truncates it. A reader that began before the last write prevents the truncation; while
/// SQLite waits for it nobody can write, so it waits briefly and retries.
async fn truncate_log(writer: &SqlitePool) -> Result<TruncatedLog, sqlx::Error> {
    let started = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        let truncated = {
            let mut conn = writer.acquire().await?;
            let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *conn).await?;
            let set = |millis: i64| AssertSqlSafe(format!("PRAGMA busy_timeout = {millis}"));
            let hold = i64::try_from(MAX_LOCK.as_millis()).unwrap_or(i64::MAX);
            sqlx::raw_sql(set(hold)).execute(&mut *conn).await?;
            let result = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await;
            sqlx::raw_sql(set(timeout)).execute(&mut *conn).await?;
            // busy flag, pages in the log, checkpointed pages
            result.and_then(|row| row.try_get::<i64, _>(0))? == 0
        };
        if truncated || started.elapsed() > TIMEOUT {
            return Ok(TruncatedLog { truncated, tries });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn postgres(owner: &PgPool, tables: &[&str]) -> Result<Overwritten, sqlx::Error> {
    let mut done = Vec::new();
    for (table, may) in partitions_of(owner, tables).await? {
        // without the privilege PostgreSQL only warns and reports success
        let (what, dead_rows) = match may {
            true => ("vacuumed", vacuum(owner, &table).await?),
            false => ("refused", None),
        };
        done.push(OverwrittenTable { table, what: what.to_owned(), dead_rows });
    }
    Ok(Overwritten {
        database: "postgres".to_owned(),
        complete: done.iter().all(|table| table.what == "vacuumed"),
        tables: done,
        write_ahead_log: None,
        rebuilt: false,
        remains: vec![
            "bytes of removed rows in unused parts of the tables' pages, until they are written over: VACUUM FULL \
             (or pg_repack) on the tables named here, then CHECKPOINT, as OPERATIONS.md says"
                .to_owned(),
            "PostgreSQL's write-ahead log, its archive, replicas and base backups: they expire as the database \
             server's retention says"
                .to_owned(),
            "backups made before: delete them, or let them expire as your retention of backups says".to_owned(),
        ],
    })
}

/// The tables, with partitions instead of partitioned tables, and whether the owner's login may vacuum each.
async fn partitions_of(owner: &PgPool, tables: &[&str]) -> Result<Vec<(String, bool)>, sqlx::Error> {
    let sql = "SELECT c.relname::text, pg_has_role(c.relowner, 'USAGE') FROM pg_class c \
         LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent \
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace \
         AND (cardinality($1::text[]) = 0 OR c.relname = ANY($1) OR p.relname = ANY($1)) ORDER BY 1";
    let names: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
    // in a transaction, as PgBouncer may otherwise execute a prepared statement on another connection
    let mut tx = owner.begin().await?;
    let rows = sqlx::query(sql).bind(names).persistent(false).fetch_all(&mut *tx).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Removes the dead rows from a table's pages; returns how many are left.
async fn vacuum(owner: &PgPool, table: &str) -> Result<Option<i64>, sqlx::Error> {
    let name = table.replace('"', "\"\"");
    let mut left = None;
    for n in 0..VACUUMS {
        if n > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let sql = format!("VACUUM (INDEX_CLEANUP ON) public.\"{name}\"");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await?;
        let sql = format!(
            "SELECT coalesce(pg_stat_get_dead_tuples('public.\"{}\"'::regclass), 0)",
            name.replace('\'', "''")
        );
        left = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(owner).await?.map(|row| row.get::<i64, _>(0));
        if left.unwrap_or(0) == 0 {
            break;
        }
    }
    Ok(left)
}
