//! A migrated PostgreSQL database that tests copy, as copying takes a fraction of the time that migrating does.

use loam_db::{Config, Db};
use sqlx::{Connection, PgConnection};

use crate::with_database;

/// The template's name. It belongs to one run: the cluster that tests use is made for it.
pub(crate) const NAME: &str = "loam_template";
/// What it is called until it is complete.
const DRAFT: &str = "loam_template_draft";
/// The advisory lock under which it is made: tests are processes of their own, and start at once.
const LOCK: i64 = 0x006c_6f61_6d74;

/// Makes the template unless it is there.
pub(crate) async fn ensure(server: &str) {
    let mut admin = PgConnection::connect(server).await.expect("PostgreSQL takes connections");
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut admin)
        .await
        .expect("the lock is free soon");
    let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    let exists: bool =
        sqlx::query_scalar(exists).bind(NAME).fetch_one(&mut admin).await.expect("databases are listed");
    if !exists {
        // nobody may be connected to a template, so it gets its name when all is done
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
    // the lock goes with the connection
    admin.close().await.expect("the connection closes");
}

async fn run(admin: &mut PgConnection, statement: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(admin).await.expect("the user may make databases");
}
