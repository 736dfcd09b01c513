//! Running migrations, and telling where a database stands.

use async_trait::async_trait;
use loam_kernel::{Error, Kind, Result};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, SqlxPostgresConnector, SqlxSqliteConnector};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};
use serde::Serialize;

use crate::connect::{Db, Dialect, Pools};
use crate::error::{from_sqlx, map_err};
use crate::migrations::{self, Step};
use crate::schema::Schema;

/// The number under which servers that start together agree who migrates ("loam" in ASCII).
const LOCK: i64 = 0x6c6f_616d;

struct Migrator;

struct Migration(&'static Step);

impl MigrationName for Migration {
    fn name(&self) -> &str {
        self.0.name
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = match manager.get_database_backend() {
            sea_orm::DbBackend::Sqlite => Dialect::Sqlite,
            _ => Dialect::Postgres,
        };
        let mut schema = Schema::new(dialect);
        (self.0.up)(&mut schema);
        for statement in &schema.statements {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations::ALL.iter().map(|step| Box::new(Migration(step)) as Box<dyn MigrationTrait>).collect()
    }
}

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
    fn owner(&self) -> DatabaseConnection {
        match &self.pools {
            Pools::Sqlite { writer, .. } => SqlxSqliteConnector::from_sqlx_sqlite_pool(writer.clone()),
            Pools::Postgres { owner, .. } => SqlxPostgresConnector::from_sqlx_postgres_pool(owner.clone()),
        }
    }

    /// The names of the migrations applied; none in a database that has never been migrated.
    async fn applied(&self) -> Result<Vec<String>, sqlx::Error> {
        const SELECT: &str = "SELECT version FROM seaql_migrations ORDER BY version";
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let exists = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'seaql_migrations'";
                if !sqlx::query_scalar::<_, bool>(exists).fetch_one(writer).await? {
                    return Ok(Vec::new());
                }
                sqlx::query_scalar(SELECT).fetch_all(writer).await
            }
            Pools::Postgres { owner, .. } => {
                let exists = "SELECT to_regclass('seaql_migrations') IS NOT NULL";
                if !sqlx::query_scalar::<_, bool>(exists).fetch_one(owner).await? {
                    return Ok(Vec::new());
                }
                sqlx::query_scalar(SELECT).fetch_all(owner).await
            }
        }
    }

    /// Where the database stands, without changing it.
    pub async fn schema_status(&self) -> Result<SchemaStatus> {
        let applied = self.applied().await.map_err(from_sqlx)?;
        let migrations: Vec<MigrationState> = migrations::ALL
            .iter()
            .map(|step| MigrationState { name: step.name.to_owned(), applied: applied.iter().any(|a| a == step.name) })
            .collect();
        let unknown = applied.into_iter().filter(|a| migrations.iter().all(|m| &m.name != a)).collect();
        Ok(SchemaStatus { migrations, unknown })
    }

    /// Applies what is pending, and says what that was. Servers that start together do it one after the other.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        // held by a transaction, as a lock of a session would not survive PgBouncer
        let lock = match &self.pools {
            Pools::Sqlite { .. } => None,
            Pools::Postgres { owner, .. } => {
                let mut tx = owner.begin().await.map_err(from_sqlx)?;
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await.map_err(from_sqlx)?;
                Some(tx)
            }
        };
        let status = self.schema_status().await?;
        status.refuse_newer()?;
        let pending: Vec<String> =
            status.migrations.into_iter().filter(|m| !m.applied).map(|m| m.name).collect();
        if !pending.is_empty() {
            Migrator::up(&self.owner(), None).await.map_err(map_err)?;
        }
        if let Some(tx) = lock {
            tx.commit().await.map_err(from_sqlx)?;
        }
        Ok(pending)
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
