//! A migrated PostgreSQL database that tests copy: copying takes a fraction of the time of migrating.

use loam_db::{Config, Db};
use sqlx::{Connection, PgConnection};

use crate::with_database;

/// Name of the template. It belongs to one run, because each run starts its own cluster.
pub(crate) const NAME: &str = "loam_template";
/// Its name until it is complete.
const DRAFT: &str = "loam_template_draft";
/// Advisory lock for its creation: tests are separate processes that start concurrently.
const LOCK: i64 = 0x006c_6f61_6d74;

/// Creates the template if it does not exist.
pub(crate) async fn ensure(server: &str) {
    let mut admin = PgConnection::connect(server).await.expect("PostgreSQL accepts connections");
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut admin)
        .await
        .expect("the lock is released");
    let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    let exists: bool =
        sqlx::query_scalar(exists).bind(NAME).fetch_one(&mut admin).await.expect("databases are listed");
    if !exists {
        // a template must have no connections, so it gets its name at the end
        let statements = [format!("DROP DATABASE IF EXISTS {DRAFT}"), format!("CREATE DATABASE {DRAFT}")];
        for statement in statements {
            run(&mut admin, statement).await;
        }
        let config = Config { url: Some(with_database(server, DRAFT)), ..Config::default() };
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::connect(&config, folder.path()).await.expect("the database opens");
        db.migrate().await.expect("the database is migrated");
        db.close().await;
        run(&mut admin, format!("ALTER DATABASE {DRAFT} RENAME TO {NAME}")).await;
    }
    // closing the connection releases the lock
    admin.close().await.expect("the connection closes");
}

async fn run(admin: &mut PgConnection, statement: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(admin)
        .await
        .expect("the user may create databases");
}
