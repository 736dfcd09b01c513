//! Running migrations, and telling where a database stands.

use loam_kernel::{Error, Kind, Result};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::conn::{Conn, Naming};
use crate::connect::{Db, Pools};
use crate::error::{from_sqlx, map_err};
use crate::migrations;
use crate::schema::{self, Schema};

/// The number under which servers that start together agree who migrates ("loam" in ASCII).
const LOCK: i64 = 0x6c6f_616d;

/// Where one migration stands.
#[derive(Clone, Debug, Serialize)]
pub struct MigrationState {
    /// Its name.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}

/// Where a database stands.
#[derive(Clone, Debug, Serialize)]
pub struct SchemaStatus {
    /// Every migration that this binary knows.
    pub migrations: Vec<MigrationState>,
    /// Migrations in the database that this binary doesn't know: it is newer than the binary.
    pub unknown: Vec<String>,
}

impl SchemaStatus {
    /// How many are still to be applied.
    pub fn pending(&self) -> usize {
        self.migrations.iter().filter(|m| !m.applied).count()
    }

    /// Refuses a database that a newer Loam has changed.
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
    /// A transaction of the owner's, alone among all that migrate.
    async fn begin_migration(&self) -> Result<Conn> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(from_sqlx)?;
                Ok(Conn::Sqlite(Mutex::new(tx)))
            }
            Pools::Postgres { owner, .. } => {
                let conn =
                    Conn::Postgres(Mutex::new(owner.begin().await.map_err(from_sqlx)?), Naming::Unnamed);
                // until the transaction ends, as a lock of a session would not survive PgBouncer
                conn.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
                    .await
                    .map_err(map_err)?;
                Ok(conn)
            }
        }
    }

    /// Where the database stands, without changing it.
    pub async fn schema_status(&self) -> Result<SchemaStatus> {
        let conn = match &self.pools {
            // the writer, as a reader can't open a file that nobody has written to
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

    /// Applies what is pending, all of it or nothing, and says what that was. Servers that start together do it one after
    /// the other.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        let conn = self.begin_migration().await?;
        let status = status(&conn).await?;
        status.refuse_newer()?;
        if status.migrations.iter().all(|migration| !migration.applied) {
            conn.execute_unprepared(&schema::record_table(self.dialect())).await.map_err(map_err)?;
        }
        let pending = |name: &str| {
            status.migrations.iter().any(|migration| migration.name == name && !migration.applied)
        };
        let mut applied = Vec::new();
        for step in migrations::ALL.iter().filter(|step| pending(step.name)) {
            let mut schema = Schema::new(self.dialect());
            (step.up)(&mut schema);
            for statement in schema.statements.iter().chain([&schema::record(self.dialect(), step.name)]) {
                conn.execute_unprepared(statement).await.map_err(map_err)?;
            }
            applied.push(step.name.to_owned());
        }
        conn.commit().await.map_err(from_sqlx)?;
        Ok(applied)
    }

    /// Refuses a database whose schema is not the one this binary works with.
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

/// Where the database stands, as this transaction sees it.
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

/// The names of the migrations applied; none in a database that has never been migrated.
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
