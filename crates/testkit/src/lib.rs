//! Databases for tests: a fresh SQLite folder, or a fresh PostgreSQL database on a real server.
//!
//! Belongs here: what the tests of more than one crate need of a database, raw SQL among it, which product code can't
//! run. Does not belong here: anything that the product links, and fixtures of one crate's tests.
//!
//! PostgreSQL's address comes from `LOAM_TEST_POSTGRES_URL`, PgBouncer's from `LOAM_TEST_PGBOUNCER_URL`. Without them a
//! test fails rather than being skipped.

mod raw;
mod template;

use std::path::Path;

use loam_db::{Config, Db};
use loam_kernel::Clock;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

pub use raw::Raw;

/// A database that belongs to one test. An SQLite folder goes with it; PostgreSQL's goes with the cluster.
pub struct Database {
    /// The product's own way in.
    pub db: Db,
    /// What it was opened with.
    pub config: Config,
    folder: TempDir,
}

impl Database {
    /// A migrated SQLite database.
    pub async fn sqlite() -> Self {
        Self::empty_sqlite().await.migrated().await
    }

    /// A migrated PostgreSQL database, copied from a template that the first test of a run makes.
    pub async fn postgres() -> Self {
        template::ensure(&variable("LOAM_TEST_POSTGRES_URL")).await;
        Self::new_postgres(&format!("TEMPLATE {}", template::NAME)).await
    }

    /// A migrated PostgreSQL database, reached through PgBouncer in transaction mode but for its migrations.
    pub async fn pgbouncer(max_connections: u32) -> Self {
        let direct = Self::postgres().await;
        let name = direct
            .config
            .url
            .as_deref()
            .and_then(|url| url.rsplit_once('/'))
            .expect("a database of its own")
            .1;
        let url = with_database(&variable("LOAM_TEST_PGBOUNCER_URL"), name) + "?statement-cache-capacity=0";
        Self::open(Config {
            url: Some(url),
            owner_url: direct.config.url,
            max_connections,
            ..Config::default()
        })
        .await
    }

    /// An SQLite database that has never been migrated.
    pub async fn empty_sqlite() -> Self {
        Self::open(Config::default()).await
    }

    /// A PostgreSQL database that has never been migrated.
    pub async fn empty_postgres() -> Self {
        Self::new_postgres("").await
    }

    async fn new_postgres(options: &str) -> Self {
        let server = variable("LOAM_TEST_POSTGRES_URL");
        let name = format!("loam_test_{}", Clock::system().id::<Uuid>().simple());
        let mut admin = PgConnection::connect(&server).await.expect("PostgreSQL takes connections");
        let create = format!("CREATE DATABASE {name} {options}");
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut admin)
            .await
            .expect("the user may create databases");
        let url = with_database(&server, &name);
        // more than the runner's threads, so that tests of concurrency have some
        Self::open(Config { url: Some(url), max_connections: 12, ..Config::default() }).await
    }

    async fn open(config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let db = Db::connect(&config, folder.path()).await.expect("the database opens");
        Self { db, config, folder }
    }

    async fn migrated(self) -> Self {
        self.db.migrate().await.expect("the database is migrated");
        self
    }

    /// The test's own folder, where SQLite keeps its file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Another server on the same database.
    pub async fn another(&self) -> Db {
        Db::connect(&self.config, self.folder()).await.expect("the database opens again")
    }

    /// A connection around the data layer by the way that the server takes, which may lead through PgBouncer.
    pub async fn raw_beside(&self) -> Raw {
        Raw::open(self.config.url.as_ref(), &self.folder().join("loam.db")).await
    }

    /// A connection around the data layer, as the owner: what an operator does by hand, or a fault in the code would.
    pub async fn raw(&self) -> Raw {
        Raw::open(self.config.owner_url.as_ref().or(self.config.url.as_ref()), &self.folder().join("loam.db"))
            .await
    }
}

/// A variable that the test run sets.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but this")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: this test needs a real PostgreSQL behind a PgBouncer; run it by `make test`, which starts both")
    })
}

/// The URL of another database on the same server.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let (server, _) = base.rsplit_once('/').expect("the URL names a database");
    format!("{server}/{name}{}", query.map(|query| format!("?{query}")).unwrap_or_default())
}

/// Makes two tests of each named `async fn(Database)`: one on SQLite, one on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::Database::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::Database::postgres().await).await;
            })*
        }
    };
}
