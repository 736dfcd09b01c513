//! Databases for tests: a new SQLite folder, or a new PostgreSQL database on a real server.
//!
//! Belongs here: database helpers for the tests of more than one crate, including raw SQL, which product code cannot run.
//! Does not belong here: anything that the product links, and fixtures of a single crate.
//!
//! PostgreSQL's address comes from `LOAM_TEST_POSTGRES_URL`, PgBouncer's from `LOAM_TEST_PGBOUNCER_URL`. Without them a
//! test fails rather than being skipped.

mod golden;
mod raw;
mod template;

use std::path::Path;

use loam_db::{Config, Db};
use loam_kernel::Clock;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

pub use golden::check_golden;
pub use raw::Raw;

/// A database of one test. An SQLite folder is deleted when it is dropped; a PostgreSQL database with the test cluster.
pub struct Database {
    /// The product's handle.
    pub db: Db,
    /// The configuration that it was opened with.
    pub config: Config,
    folder: TempDir,
}

impl Database {
    /// A migrated SQLite database.
    pub async fn sqlite() -> Self {
        Self::empty_sqlite().await.migrated().await
    }

    /// A migrated PostgreSQL database, copied from a template that the first test of a run creates.
    pub async fn postgres() -> Self {
        template::ensure(&variable("LOAM_TEST_POSTGRES_URL")).await;
        Self::new_postgres(&format!("TEMPLATE {}", template::NAME)).await
    }

    /// A migrated PostgreSQL database, reached through PgBouncer in transaction mode; migrations connect directly.
    pub async fn pgbouncer(max_connections: u32) -> Self {
        let direct = Self::postgres().await;
        let name = direct
            .config
            .url
            .as_deref()
            .and_then(|url| url.rsplit_once('/'))
            .expect("the URL names a database")
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
        let mut admin = PgConnection::connect(&server).await.expect("PostgreSQL accepts connections");
        let create = format!("CREATE DATABASE {name} {options}");
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut admin)
            .await
            .expect("the user may create databases");
        let url = with_database(&server, &name);
        // more connections than the runner's threads, for tests of concurrency
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

    /// The test's folder, which contains the SQLite file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A second handle on the same database, as of another server.
    pub async fn second_node(&self) -> Db {
        Db::connect(&self.config, self.folder()).await.expect("the database opens again")
    }

    /// A raw connection by the server's URL, which may be PgBouncer's.
    pub async fn raw_by_server_url(&self) -> Raw {
        Raw::open(self.config.url.as_ref(), &self.folder().join("loam.db")).await
    }

    /// A raw connection as the owner: to do what an operator could do manually, or what a bug could cause.
    pub async fn raw(&self) -> Raw {
        Raw::open(self.config.owner_url.as_ref().or(self.config.url.as_ref()), &self.folder().join("loam.db"))
            .await
    }
}

/// An environment variable that the test runner sets.
#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment only")]
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

/// Defines two tests for each named `async fn(Database)`: one on SQLite, one on PostgreSQL.
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
