//! Running migrations, and the state of the schema.

use loam_kernel::{Error, Kind, Result};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::conn::{Conn, Naming};
use crate::connect::{Db, Pools};
use crate::error::{from_sqlx, map_err};
use crate::migrations;
use crate::privileges;
use crate::schema::{self, Schema};

/// The advisory lock of migrations, for servers that start at the same time ("loam" in ASCII).
const LOCK: i64 = 0x6c6f_616d;

/// The state of a migration.
#[derive(Clone, Debug, Serialize)]
pub struct MigrationState {
    /// Its name.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}

/// The state of the schema.
#[derive(Clone, Debug, Serialize)]
pub struct SchemaStatus {
    /// Every migration that this binary knows.
    pub migrations: Vec<MigrationState>,
    /// Migrations in the database that this binary doesn't know: it is newer than the binary.
    pub unknown: Vec<String>,
}

impl SchemaStatus {
    /// The number of pending migrations.
    pub fn pending(&self) -> usize {
        self.migrations.iter().filter(|m| !m.applied).count()
    }

    /// Rejects a database that a newer version has migrated.
    pub fn refuse_newer(&self) -> Result<()> {
        if self.unknown.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the database is newer than this binary: it has the migration `{}`; use the Loam that made it, or a later one",
            self.unknown.join("`, `")
        );
        Err(Error::new(Kind::Conflict, "database_newer", message))
    }
}

impl Db {
    /// A transaction of the owner with the migration lock.
    async fn begin_migration(&self) -> Result<Conn> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(from_sqlx)?;
                Ok(Conn::Sqlite(Mutex::new(tx)))
            }
            Pools::Postgres { owner, .. } => {
                let conn =
                    Conn::Postgres(Mutex::new(owner.begin().await.map_err(from_sqlx)?), Naming::Unnamed);
                // a transaction-level lock, as PgBouncer does not support session-level locks
                conn.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
                    .await
                    .map_err(map_err)?;
                Ok(conn)
            }
        }
    }

    /// The state of the schema, read-only.
    pub async fn schema_status(&self) -> Result<SchemaStatus> {
        let conn = match &self.pools {
            // the writer, as a reader can't open a new file
            Pools::Sqlite { writer, .. } => {
                Conn::Sqlite(Mutex::new(writer.begin().await.map_err(from_sqlx)?))
            }
            Pools::Postgres { owner, .. } => {
                Conn::Postgres(Mutex::new(owner.begin().await.map_err(from_sqlx)?), Naming::Unnamed)
            }
        };
        let status = status(&conn).await?;
        conn.rollback().await.map_err(from_sqlx)?;
        Ok(status)
    }

    /// Applies the pending migrations in one transaction, and returns their names. Servers that start together do it one
    /// after the other.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        let conn = self.begin_migration().await?;
        let status = status(&conn).await?;
        status.refuse_newer()?;
        match self.apply(&conn, &status).await {
            Ok(applied) => {
                conn.commit().await.map_err(from_sqlx)?;
                Ok(applied)
            }
            Err((statement, error)) if privileges::is_lacking(&error) => {
                conn.rollback().await.map_err(from_sqlx)?;
                Err(self.explain_lacking(&statement, error).await)
            }
            Err((_, error)) => Err(map_err(error)),
        }
    }

    /// Applies the pending migrations in this transaction. An error comes with its statement.
    async fn apply(&self, conn: &Conn, status: &SchemaStatus) -> Result<Vec<String>, (String, DbErr)> {
        let run = async |statement: &str| {
            let done = conn.execute_unprepared(statement).await;
            done.map(drop).map_err(|error| (statement.to_owned(), error))
        };
        if status.migrations.iter().all(|migration| !migration.applied) {
            run(&schema::record_table(self.dialect())).await?;
        }
        let pending = |name: &str| {
            status.migrations.iter().any(|migration| migration.name == name && !migration.applied)
        };
        let mut applied = Vec::new();
        for step in migrations::ALL.iter().filter(|step| pending(step.name)) {
            let mut schema = Schema::new(self.dialect());
            (step.up)(&mut schema);
            for statement in schema.statements.iter().chain([&schema::record(self.dialect(), step.name)]) {
                run(statement).await?;
            }
            applied.push(step.name.to_owned());
        }
        Ok(applied)
    }

    /// Rejects a database whose schema is not the one of this binary.
    pub async fn require_current_schema(&self) -> Result<()> {
        let status = self.schema_status().await?;
        status.refuse_newer()?;
        match status.pending() {
            0 => Ok(()),
            n => Err(Error::new(
                Kind::Conflict,
                "database_outdated",
                format!("{n} migrations are pending; run `loam db migrate` or start `loam serve`"),
            )),
        }
    }
}

/// The state of the schema in this transaction.
async fn status(conn: &Conn) -> Result<SchemaStatus> {
    let applied = applied(conn).await.map_err(map_err)?;
    let migrations: Vec<MigrationState> = migrations::ALL
        .iter()
        .map(|step| MigrationState {
            name: step.name.to_owned(),
            applied: applied.iter().any(|a| a == step.name),
        })
        .collect();
    let unknown = applied.into_iter().filter(|a| migrations.iter().all(|m| &m.name != a)).collect();
    Ok(SchemaStatus { migrations, unknown })
}

/// The names of the applied migrations; none in a new database.
async fn applied(conn: &Conn) -> Result<Vec<String>, DbErr> {
    let backend = conn.get_database_backend();
    let exists = match backend {
        DbBackend::Sqlite => "SELECT 1 AS found FROM sqlite_schema WHERE name = 'seaql_migrations'",
        _ => "SELECT 1 AS found FROM pg_class WHERE oid = to_regclass('seaql_migrations')",
    };
    if conn.query_one_raw(Statement::from_string(backend, exists)).await?.is_none() {
        return Ok(Vec::new());
    }
    let select = Statement::from_string(backend, "SELECT version FROM seaql_migrations ORDER BY version");
    conn.query_all_raw(select).await?.iter().map(|row| row.try_get("", "version")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_named_in_order_and_once() {
        let names: Vec<&str> = migrations::ALL.iter().map(|step| step.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }
}
