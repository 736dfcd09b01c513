//! Making what was deleted unreadable: a deleted row is gone for queries at once, and for whoever reads the files only
//! after this.
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

/// SQLite's `user_version` of a file in which nothing was ever deleted without being overwritten.
pub(crate) const SECURE_SINCE_START: i64 = 1;

/// How long one try to truncate the write-ahead log may hold up the one writer.
const HOLD: Duration = Duration::from_millis(250);
/// How long it is tried, while readers keep an old state of the database.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// How often a table is vacuumed again while it has dead rows, which a long transaction may still see.
const VACUUMS: u32 = 3;

/// What was done so that deleted rows can't be read from the files, and what stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwritten {
    /// `sqlite` or `postgres`.
    pub database: String,
    /// Whether everything was done that Loam can do: no table was refused, and no reader stood in the way.
    pub complete: bool,
    /// What was done for each table.
    pub tables: Vec<OverwrittenTable>,
    /// SQLite's write-ahead log; none on PostgreSQL.
    pub write_ahead_log: Option<TruncatedLog>,
    /// Whether the whole file was rebuilt, as it was written before deleted content was overwritten.
    pub rebuilt: bool,
    /// What Loam can't reach, each with what an operator does about it.
    pub remains: Vec<String>,
}

/// A table, or a partition of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverwrittenTable {
    /// Its name.
    pub table: String,
    /// `overwritten` (SQLite), `vacuumed`, or `refused`: the owner's login may not.
    pub what: String,
    /// Dead rows that are still in its pages, as PostgreSQL counts them: those of the last moments, or those that a long
    /// transaction may still see. None on SQLite.
    pub dead_rows: Option<i64>,
}

/// SQLite's write-ahead log, after it was written into the database file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruncatedLog {
    /// Whether it is empty now.
    pub truncated: bool,
    /// How often it was tried; a reader of an old state stands in the way.
    pub tries: u32,
}

impl Db {
    /// Makes the deleted rows of these tables unreadable in the database's files, as far as that can be done over a
    /// connection; of all tables if none is named. To be called after the deletion was committed. On SQLite writers wait
    /// for at most a quarter of a second at a time, but for the one rebuild of a file from before.
    ///
    /// # Errors
    /// When the database is away. A reader that stands in the way is no error: the answer is not `complete` then, and
    /// the caller comes again.
    pub async fn overwrite_deleted(&self, tables: &[&str]) -> Result<Overwritten> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => sqlite(writer, tables).await.map_err(from_sqlx),
            Pools::Postgres { owner, .. } => postgres(owner, tables).await.map_err(from_sqlx),
        }
    }
}

impl Db {
    /// Empties SQLite's write-ahead log, in which the former content of pages stays until it is used again; none on
    /// PostgreSQL. Cheap, and never rebuilds a file.
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

/// Notes in a file that all that is deleted from it is overwritten.
pub(crate) async fn mark_secure(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    let sql = format!("PRAGMA user_version = {SECURE_SINCE_START}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(writer).await.map(drop)
}

/// Writes the log into the file and empties it. A reader that began before the last write keeps the log from being
/// emptied; while SQLite waits for it nobody can write, so it waits briefly and comes again.
async fn truncate_log(writer: &SqlitePool) -> Result<TruncatedLog, sqlx::Error> {
    let started = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        let truncated = {
            let mut conn = writer.acquire().await?;
            let patience: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *conn).await?;
            let set = |millis: i64| AssertSqlSafe(format!("PRAGMA busy_timeout = {millis}"));
            let hold = i64::try_from(HOLD.as_millis()).unwrap_or(i64::MAX);
            sqlx::raw_sql(set(hold)).execute(&mut *conn).await?;
            let result = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await;
            sqlx::raw_sql(set(patience)).execute(&mut *conn).await?;
            // busy, pages in the log, pages of them that are in the file
            result.and_then(|row| row.try_get::<i64, _>(0))? == 0
        };
        if truncated || started.elapsed() > PATIENCE {
            return Ok(TruncatedLog { truncated, tries });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn postgres(owner: &PgPool, tables: &[&str]) -> Result<Overwritten, sqlx::Error> {
    let mut done = Vec::new();
    for (table, may) in partitions_of(owner, tables).await? {
        // without the right PostgreSQL warns, does nothing, and calls it success
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

/// The tables, partitions in the place of a partitioned one, and whether the owner's login may vacuum each.
async fn partitions_of(owner: &PgPool, tables: &[&str]) -> Result<Vec<(String, bool)>, sqlx::Error> {
    let sql = "SELECT c.relname::text, pg_has_role(c.relowner, 'USAGE') FROM pg_class c \
         LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent \
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace \
         AND (cardinality($1::text[]) = 0 OR c.relname = ANY($1) OR p.relname = ANY($1)) ORDER BY 1";
    let names: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
    // in a transaction, as behind PgBouncer what was prepared may be run somewhere else
    let mut tx = owner.begin().await?;
    let rows = sqlx::query(sql).bind(names).persistent(false).fetch_all(&mut *tx).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Takes the dead rows out of a table's pages; says how many are left.
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
