//! Migrations: once, by one at a time, and nothing else than what the printed schema says.

use std::collections::BTreeSet;

use loam_db::{Dialect, EntityShape, compare, print_schema};
use loam_kernel::Kind;
use loam_testkit::{Database, Raw, on_both};

use crate::kit::note;

on_both![migrating_again_does_nothing, a_newer_database_is_refused, an_altered_table_is_reported];

async fn migrating_again_does_nothing(bed: Database) {
    let before = picture(&mut bed.raw().await).await;
    assert!(bed.db.migrate().await.unwrap().is_empty());
    assert!(bed.second_node().await.migrate().await.unwrap().is_empty());
    let status = bed.db.schema_status().await.unwrap();
    assert!(!status.migrations.is_empty() && status.pending() == 0 && status.unknown.is_empty());
    bed.db.require_current_schema().await.unwrap();
    assert_eq!(picture(&mut bed.raw().await).await, before);
}

async fn a_newer_database_is_refused(bed: Database) {
    bed.raw()
        .await
        .run("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20990101_000000_flying', 1)")
        .await;
    let migrated = bed.db.migrate().await.unwrap_err();
    let used = bed.db.require_current_schema().await.unwrap_err();
    for error in [migrated, used] {
        assert_eq!((error.kind(), error.code()), (Kind::Conflict, "database_newer"));
        assert!(error.message().contains("m20990101_000000_flying"), "{error}");
    }
}

async fn an_altered_table_is_reported(bed: Database) {
    let differences = async || {
        let all = compare(&bed.db, &[EntityShape::of::<note::Entity>()]).await.unwrap();
        all.into_iter()
            .filter(|difference| difference.table == "change_notices")
            .map(|d| d.what)
            .collect::<Vec<_>>()
    };
    assert_eq!(differences().await, [""; 0]);
    let mut raw = bed.raw().await;
    raw.run("ALTER TABLE change_notices ADD COLUMN extra text").await;
    assert_eq!(differences().await, ["column `extra` is in no entity"]);
    raw.run("ALTER TABLE change_notices DROP COLUMN extra; ALTER TABLE change_notices RENAME COLUMN topic TO subject").await;
    assert_eq!(differences().await, ["column `topic` is missing", "column `subject` is in no entity"]);
    raw.run(
        "ALTER TABLE change_notices DROP COLUMN subject; ALTER TABLE change_notices ADD COLUMN topic integer",
    )
    .await;
    let found = differences().await;
    assert!(
        found.len() == 1 && found[0].contains("`topic`") && found[0].contains("(\"text\", false)"),
        "{found:?}"
    );
    raw.run("DROP TABLE change_notices").await;
    assert_eq!(differences().await, ["the table is missing"]);
    let unknown = compare(&bed.db, &[]).await.unwrap();
    assert!(unknown.iter().any(|d| d.table == "tenants" && d.what == "the table has no entity"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_together_on_sqlite_all_find_it_migrated() {
    start_together(Database::empty_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_together_on_postgres_all_find_it_migrated() {
    start_together(Database::empty_postgres().await).await;
}

async fn start_together(bed: Database) {
    assert!(bed.db.require_current_schema().await.is_err(), "an empty database is not good enough");
    let servers = [bed.second_node().await, bed.second_node().await, bed.second_node().await];
    let done = futures_util::future::join_all(servers.iter().map(|db| async move {
        let applied = db.migrate().await?;
        db.require_current_schema().await.map(|()| applied)
    }))
    .await;
    let applied: usize = done.into_iter().map(|done| done.expect("every server starts").len()).sum();
    assert!(applied >= bed.db.schema_status().await.unwrap().migrations.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_one_cluster_can_be_migrated_together() {
    let mut beds = Vec::new();
    for _ in 0..4 {
        beds.push(Database::empty_postgres().await);
    }
    for done in futures_util::future::join_all(beds.iter().map(|bed| bed.db.migrate())).await {
        done.expect("the roles they share don't stand in the way");
    }
}

#[tokio::test]
async fn the_printed_schema_makes_what_the_migrations_make_on_sqlite() {
    printed_equals_migrated(Database::empty_sqlite().await, Database::sqlite().await, Dialect::Sqlite).await;
}

#[tokio::test]
async fn the_printed_schema_makes_what_the_migrations_make_on_postgres() {
    printed_equals_migrated(Database::empty_postgres().await, Database::postgres().await, Dialect::Postgres)
        .await;
}

async fn printed_equals_migrated(printed: Database, migrated: Database, dialect: Dialect) {
    let mut raw = printed.raw().await;
    raw.run(print_schema(dialect)).await;
    let (found, expected) = (picture(&mut raw).await, picture(&mut migrated.raw().await).await);
    assert!(expected.len() > 50, "the picture shows the schema");
    assert_eq!(found.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(expected.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new());
    printed.db.require_current_schema().await.expect("a server starts on it");
    assert!(printed.db.migrate().await.unwrap().is_empty());
}

/// Everything that a schema consists of, a line each.
async fn picture(raw: &mut Raw) -> BTreeSet<String> {
    let queries: &[&str] = match raw {
        Raw::Sqlite(_) => &[
            "SELECT 'table ' || t.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk \
             FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'",
            "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE type <> 'table'",
            "SELECT 'key ' || t.name || ' ' || k.\"from\" || ' ' || k.\"table\" || ' ' || k.\"to\" || ' ' || k.on_delete \
             FROM sqlite_schema t, pragma_foreign_key_list(t.name) k WHERE t.type = 'table'",
        ],
        Raw::Postgres(_) => &[
            "SELECT format('table %s %s %s %s %s', relname, relkind, relrowsecurity, relforcerowsecurity, pg_get_partkeydef(oid)) \
             FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
            "SELECT format('column %s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull) \
             FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
            "SELECT format('policy %s %s %s %s %s', tablename, policyname, roles, qual, with_check) FROM pg_policies",
            "SELECT format('grant %s %s %s', table_name, grantee, privilege_type) FROM information_schema.role_table_grants \
             WHERE table_schema = 'public'",
            "SELECT format('function %s %s %s', proname, prosrc, proacl) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        ],
    };
    let mut lines = BTreeSet::new();
    for query in queries {
        lines.extend(raw.texts(*query).await);
    }
    lines
}
