//! Every entity of every crate beside both databases.

use std::collections::BTreeSet;

use loam_db::{compare, compare_objects, objects};
use loam_testkit::{Database, on_both};

on_both![
    the_migrated_database_is_what_the_entities_say,
    any_altered_table_is_found,
    the_objects_of_a_migrated_database_are_the_recorded_ones,
    a_changed_object_is_found,
];

/// Columns whose names say all there is to say.
const PLAIN: [&str; 13] = [
    "tenant_id",
    "id",
    "name",
    "username",
    "email",
    "full_name",
    "description",
    "created_at",
    "updated_at",
    "user_id",
    "project_id",
    "api_key_id",
    "streamed",
];

async fn the_migrated_database_is_what_the_entities_say(bed: Database) {
    let differences = compare(&bed.db, &loam_server::entities()).await.unwrap();
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Each table is altered in turn, so that no entity is compared with nothing.
async fn any_altered_table_is_found(bed: Database) {
    let entities = loam_server::entities();
    let mut raw = bed.raw().await;
    for entity in &entities {
        raw.run(format!("ALTER TABLE {} ADD COLUMN drift text", entity.table)).await;
    }
    let found: BTreeSet<String> =
        compare(&bed.db, &entities).await.unwrap().into_iter().map(|found| found.table).collect();
    assert_eq!(found, entities.into_iter().map(|entity| entity.table).collect());
}

/// Run it again after a new migration: it writes what is in the database, for you to review and commit.
async fn the_objects_of_a_migrated_database_are_the_recorded_ones(bed: Database) {
    let differences = compare_objects(&bed.db).await.unwrap();
    if !differences.is_empty() {
        let lines =
            objects(&bed.db).await.unwrap().into_iter().map(|(table, object)| format!("{table}: {object}\n"));
        let name = if bed.db.is_embedded() { "sqlite" } else { "postgres" };
        let path = format!("{}/../db/src/objects/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, lines.collect::<String>()).unwrap();
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

/// What somebody does by hand, or a failed migration leaves behind.
async fn a_changed_object_is_found(bed: Database) {
    let mut raw = bed.raw().await;
    raw.run("DROP INDEX llm_calls_session_id_id_idx").await;
    raw.run("CREATE INDEX drift ON users (full_name)").await;
    let mut expected = vec![("llm_calls", "missing"), ("users", "unexpected")];
    if !bed.db.is_embedded() {
        raw.run("ALTER TABLE roles NO FORCE ROW LEVEL SECURITY").await;
        raw.run("DROP POLICY tenant ON projects").await;
        raw.run("GRANT SELECT ON journal_checkpoints TO loam_app").await;
        raw.run("ALTER TABLE api_keys DROP CONSTRAINT api_keys_user_id_fkey").await;
        expected.extend([("roles", "missing"), ("roles", "unexpected"), ("projects", "missing")]);
        expected.extend([("journal_checkpoints", "unexpected"), ("api_keys", "missing")]);
    }
    let found: BTreeSet<(String, String)> = compare_objects(&bed.db)
        .await
        .unwrap()
        .into_iter()
        .map(|found| {
            let what = found.what.split_once(": ").unwrap().0.to_owned();
            (found.table, what)
        })
        .collect();
    assert_eq!(
        found,
        expected.into_iter().map(|(table, what)| (table.to_owned(), what.to_owned())).collect()
    );
}

#[test]
fn every_table_and_every_column_that_needs_it_says_what_it_holds() {
    let mut silent = Vec::new();
    for entity in loam_server::entities() {
        assert!(!entity.comment.is_empty(), "{} does not say what its rows are", entity.table);
        let columns = entity.columns.iter().filter(|column| column.comment.is_empty());
        let columns = columns.filter(|column| !PLAIN.contains(&column.name.as_str()));
        silent.extend(columns.map(|column| format!("{}.{}", entity.table, column.name)));
    }
    assert_eq!(silent, [""; 0], "columns without a comment");
}
