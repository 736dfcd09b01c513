//! A transaction on either database, on which SeaORM can execute statements.
//!
//! SeaORM's own transaction sends only `BEGIN`; tenant, role and timeout would each need another round trip. This one
//! starts with all of them in a single message.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use loam_kernel::Result;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Executor, Postgres, Sqlite, Transaction};
use tokio::sync::Mutex;

use crate::error::map_err;

/// Statements that take at least this many milliseconds are logged, without their values.
static SLOW_MILLIS: AtomicU64 = AtomicU64::new(250);
/// The number of slow statements.
pub(crate) static SLOW_STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Sets the minimum duration of a slow statement, which is logged; defaults to 250 ms.
pub fn log_slower_than(duration: Duration) {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    SLOW_MILLIS.store(millis, Ordering::Relaxed);
}

pub(crate) enum Conn {
    Sqlite(Mutex<Transaction<'static, Sqlite>>),
    Postgres(Mutex<Transaction<'static, Postgres>>, Naming),
}

/// Whether prepared statements have names. A name belongs to a session: behind PgBouncer in transaction mode the next
/// transaction may use another server connection, on which the same name may refer to another statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    Named,
    Unnamed,
}

/// Runs `$body` with the transaction of whichever database this is; the drivers share no trait.
macro_rules! on_either {
    ($self:expr, $tx:ident => $body:expr) => {
        match $self {
            Conn::Sqlite(tx) => {
                let $tx = &mut **tx.lock().await;
                $body
            }
            Conn::Postgres(tx, _) => {
                let $tx = &mut **tx.lock().await;
                $body
            }
        }
    };
}

fn query_err(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn exec_err(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn values(statement: &Statement) -> SqlxValues {
    SqlxValues(statement.values.clone().unwrap_or(sea_orm::Values(Vec::new())))
}

/// Counts a statement, and logs it if it was slow.
pub(crate) fn observe(sql: &str, started: Instant) {
    let took = started.elapsed();
    metrics::histogram!("loam_db_statement_seconds").record(took);
    if took.as_millis() >= u128::from(SLOW_MILLIS.load(Ordering::Relaxed)) {
        SLOW_STATEMENTS.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("loam_db_slow_statements_total").increment(1);
        tracing::warn!(db.duration_ms = took.as_millis(), db.statement = sql, "slow statement");
    }
}

impl Conn {
    /// Whether the database caches a prepared statement for its next use.
    pub(crate) fn keeps_statements(&self) -> bool {
        !matches!(self, Self::Postgres(_, Naming::Unnamed))
    }

    /// Calls `each` with one row after the other as the database reads them.
    pub(crate) async fn for_each_row(
        &self,
        stmt: Statement,
        mut each: impl FnMut(QueryResult) -> Result<()>,
    ) -> Result<()> {
        let started = Instant::now();
        on_either!(self, tx => {
            let query = sqlx::query_with(AssertSqlSafe(stmt.sql.as_str()), values(&stmt)).persistent(self.keeps_statements());
            let mut rows = tx.fetch(query);
            while let Some(row) = rows.try_next().await.map_err(query_err).map_err(map_err)? {
                each(QueryResult::from(row))?;
            }
        });
        observe(&stmt.sql, started);
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.into_inner().commit().await,
            Self::Postgres(tx, _) => tx.into_inner().commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.into_inner().rollback().await,
            Self::Postgres(tx, _) => tx.into_inner().rollback().await,
        }
    }
}

#[async_trait]
impl ConnectionTrait for Conn {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(..) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        let started = Instant::now();
        let result = on_either!(self, tx => {
            let query = sqlx::query_with(AssertSqlSafe(stmt.sql.as_str()), values(&stmt)).persistent(self.keeps_statements());
            tx.execute(query).await.map(ExecResult::from).map_err(exec_err)
        });
        observe(&stmt.sql, started);
        result
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        on_either!(self, tx => tx.execute(AssertSqlSafe(sql)).await.map(ExecResult::from).map_err(exec_err))
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        let started = Instant::now();
        let result = on_either!(self, tx => {
            let query = sqlx::query_with(AssertSqlSafe(stmt.sql.as_str()), values(&stmt)).persistent(self.keeps_statements());
            tx.fetch_optional(query).await.map(|row| row.map(QueryResult::from)).map_err(query_err)
        });
        observe(&stmt.sql, started);
        result
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let started = Instant::now();
        let result = on_either!(self, tx => {
            let query = sqlx::query_with(AssertSqlSafe(stmt.sql.as_str()), values(&stmt)).persistent(self.keeps_statements());
            let rows = tx.fetch_all(query).await.map_err(query_err)?;
            Ok(rows.into_iter().map(QueryResult::from).collect())
        });
        observe(&stmt.sql, started);
        result
    }
}
