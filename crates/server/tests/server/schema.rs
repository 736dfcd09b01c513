//! Every entity of every crate beside both databases.

use std::collections::BTreeSet;

use loam_db::compare;
use loam_testkit::{Database, on_both};

on_both![the_migrated_database_is_what_the_entities_say, any_altered_table_is_found];

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
