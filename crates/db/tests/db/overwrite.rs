//! What was deleted can't be read from the files, on SQLite; on PostgreSQL every table is vacuumed, and what stays is said.

use std::path::Path;
use std::time::Duration;

use loam_db::{Config, Db, Dialect};
use loam_testkit::{Database, on_both};
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter};

use crate::kit::note as notes;
use crate::kit::{ACME, note, scope};

on_both![what_was_deleted_is_in_no_file];

const WORD: &str = "a planted word that nobody else writes";

/// Rows of every size in random order, so that pages are split and merged, every other one with the word.
async fn planted(db: &Db) {
    let tx = db.write(&scope(ACME)).await.unwrap();
    for n in 0..600usize {
        let word = if n % 2 == 0 { WORD } else { "another text" };
        let mut row = note(ACME, &word.repeat([1, 3, 40, 400][n % 4]));
        // ids in no order
        row.id = uuid::Uuid::from_u128((n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        tx.insert(row.into_active_model().reset_all()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn delete_planted(db: &Db) {
    let tx = db.write(&scope(ACME)).await.unwrap();
    let deleted =
        tx.delete::<notes::Entity>().filter(notes::Column::Topic.starts_with(WORD)).exec().await.unwrap();
    assert_eq!(deleted, 300);
    tx.commit().await.unwrap();
}

/// How often the word is in the files of a folder.
fn found(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let bytes = files.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap());
    bytes.map(|bytes| bytes.windows(WORD.len()).filter(|part| *part == WORD.as_bytes()).count()).sum()
}

async fn what_was_deleted_is_in_no_file(bed: Database) {
    bed.db.ensure_partitions(&scope(ACME), loam_kernel::Clock::system().now()).await.unwrap();
    planted(&bed.db).await;
    delete_planted(&bed.db).await;
    let done = bed.db.overwrite_deleted(&["change_notices", "llm_calls"]).await.unwrap();
    assert!(done.complete, "{done:?}");
    assert!(!done.remains.is_empty(), "what can't be reached is said");
    match bed.db.dialect() {
        Dialect::Sqlite => {
            assert!(done.write_ahead_log.is_some_and(|log| log.truncated && log.tries == 1));
            assert!(!done.rebuilt, "a new file never held what was not overwritten");
            assert_eq!(done.tables.len(), 2);
        }
        Dialect::Postgres => {
            assert!(done.tables.iter().all(|table| table.what == "vacuumed"), "{done:?}");
            let names: Vec<&str> = done.tables.iter().map(|table| table.table.as_str()).collect();
            assert!(names.contains(&"change_notices"), "{names:?}");
            assert!(names.iter().any(|name| name.starts_with("llm_calls_")), "partitions too: {names:?}");
            assert!(!names.contains(&"users"), "{names:?}");
            let all = bed.db.overwrite_deleted(&[]).await.unwrap();
            assert!(all.tables.len() > 40, "{}", all.tables.len());
        }
    }
}

async fn open(folder: &Path) -> Db {
    let db = Db::connect(&Config { acquire_timeout: 30, ..Config::default() }, folder).await.unwrap();
    db.migrate().await.unwrap();
    db
}

#[tokio::test]
async fn no_file_of_sqlite_holds_a_deleted_word() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).await;
    planted(&db).await;
    let before = found(folder.path());
    assert!(before > 600, "{before}");
    delete_planted(&db).await;
    assert!(found(folder.path()) > 0, "the write-ahead log still has it: otherwise this proves nothing");

    // a reader that began before the deletion, or any write, keeps the log; it is waited for
    let reader = db.read(&scope(ACME)).await.unwrap();
    reader.find::<notes::Entity>().count().await.unwrap();
    let tx = db.write(&scope(ACME)).await.unwrap();
    tx.insert(note(ACME, "a later write").into_active_model().reset_all()).await.unwrap();
    tx.commit().await.unwrap();
    let ends = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        reader.rollback().await.unwrap();
    };
    let (done, ()) = tokio::join!(db.overwrite_deleted(&["change_notices"]), ends);
    let done = done.unwrap();
    let log = done.write_ahead_log.as_ref().unwrap();
    assert!(done.complete && log.tries > 1, "{done:?}");
    assert_eq!(found(folder.path()), 0);
    let tx = db.read(&scope(ACME)).await.unwrap();
    assert_eq!(tx.find::<notes::Entity>().count().await.unwrap(), 301, "what is there stays");
}

#[tokio::test]
async fn a_file_from_before_is_rebuilt_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).await;
    planted(&db).await;
    db.close().await;
    // as an earlier version deleted, and left the file
    let path = folder.path().join("loam.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let old = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    for sql in [
        "PRAGMA secure_delete = OFF",
        "PRAGMA user_version = 0",
        "DELETE FROM change_notices WHERE topic LIKE 'a planted word%'",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        sqlx::raw_sql(sql).execute(&old).await.unwrap();
    }
    old.close().await;
    assert!(found(folder.path()) > 100, "free pages hold it");

    let db = open(folder.path()).await;
    let done = db.overwrite_deleted(&["change_notices"]).await.unwrap();
    assert!(done.complete && done.rebuilt, "{done:?}");
    assert_eq!(found(folder.path()), 0);
    assert!(!db.overwrite_deleted(&["change_notices"]).await.unwrap().rebuilt, "once");
}
