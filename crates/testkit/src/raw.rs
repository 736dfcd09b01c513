//! Raw SQL that bypasses the data layer.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

/// A separate connection to a test's database.
pub enum Raw {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL, as the owner and superuser.
    Postgres(PgConnection),
}

macro_rules! on_either {
    ($raw:expr, $connection:ident => $body:expr) => {
        match $raw {
            Raw::Sqlite($connection) => $body,
            Raw::Postgres($connection) => $body,
        }
    };
}

impl Raw {
    pub(crate) async fn open(url: Option<&String>, file: &Path) -> Self {
        match url {
            Some(url) => {
                Self::Postgres(PgConnection::connect(url).await.expect("PostgreSQL accepts connections"))
            }
            None => {
                let options = SqliteConnectOptions::new().filename(file);
                Self::Sqlite(SqliteConnection::connect_with(&options).await.expect("the SQLite file opens"))
            }
        }
    }

    /// Runs a script; returns the number of affected rows, or the database's error message.
    pub async fn try_run(&mut self, sql: impl Into<String>) -> Result<u64, String> {
        let sql = AssertSqlSafe(sql.into());
        on_either!(self, connection => sqlx::raw_sql(sql).execute(connection).await.map(|done| done.rows_affected()))
            .map_err(|e| e.to_string())
    }

    /// Runs a script that must succeed; returns the number of affected rows.
    pub async fn run(&mut self, sql: impl Into<String>) -> u64 {
        let sql = sql.into();
        self.try_run(sql.as_str()).await.unwrap_or_else(|e| panic!("{e}: {sql:.300}"))
    }

    /// The first column of every row, which must be text.
    pub async fn texts(&mut self, sql: impl Into<String>) -> Vec<String> {
        let sql = sql.into();
        self.try_texts(sql.as_str()).await.unwrap_or_else(|e| panic!("{e}: {sql:.300}"))
    }

    /// The first column of every row, or the database's error message.
    pub async fn try_texts(&mut self, sql: impl Into<String>) -> Result<Vec<String>, String> {
        let sql = AssertSqlSafe(sql.into());
        on_either!(self, connection => {
            let rows = sqlx::raw_sql(sql).fetch_all(connection).await.map_err(|e| e.to_string())?;
            Ok(rows.iter().map(|row| row.get::<String, _>(0)).collect())
        })
    }
}
