//! Imports that don't end well.

use bytes::Bytes;
use loam_kernel::{Error, Kind, Result, Scope, TenantId};
use loam_testkit::{Database, on_both};
use serde_json::json;

use super::bed::Bed;
use crate::chat_sessions::entity as sessions;
use crate::history::{ImportMode, ImportOptions, Imported};

on_both![
    what_breaks_off_is_stored_as_far_as_it_was_whole_or_not_at_all,
    a_file_is_the_same_however_it_arrives,
    imports_at_once_are_few,
];

const RESUMABLE: ImportOptions = ImportOptions { mode: Some(ImportMode::Resumable), from_line: None };

fn file(name: &str, messages: usize) -> String {
    let mut lines = format!("{}\n", json!({ "type": "session", "external_id": name }));
    for number in 0..messages {
        let line =
            json!({ "type": "message", "session": name, "role": "user", "content": number.to_string() });
        lines.push_str(&format!("{line}\n"));
    }
    lines
}

async fn import(bed: &Bed, chunks: Vec<Result<Bytes>>, options: ImportOptions) -> Result<Imported> {
    bed.conversation.import(&bed.scope(), futures_util::stream::iter(chunks), options).await
}

async fn stored(bed: &Bed) -> i64 {
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    tx.find::<sessions::Entity>().all().await.unwrap().iter().map(|session| session.message_count).sum()
}

async fn what_breaks_off_is_stored_as_far_as_it_was_whole_or_not_at_all(database: Database) {
    let bed = Bed::new(database).await;
    let broken = || Err(Error::new(Kind::Invalid, "body_unreadable", "the body could not be read"));
    let text = file("a", 2500);
    let error = import(&bed, vec![Ok(Bytes::from(text.clone())), broken()], ImportOptions::default()).await;
    assert_eq!((error.unwrap_err().code(), stored(&bed).await), ("body_unreadable", 0));
    let error = import(&bed, vec![Ok(Bytes::from(text.clone())), broken()], RESUMABLE).await.unwrap_err();
    assert_eq!(error.code(), "body_unreadable");
    assert!(error.message().contains("from_line=2001"), "{error}");
    assert_eq!(stored(&bed).await, 1999);
    let rest = ImportOptions { from_line: Some(2001), ..RESUMABLE };
    let done = import(&bed, vec![Ok(Bytes::from(text))], rest).await.unwrap();
    assert_eq!(done, Imported { sessions: 0, messages: 501, next_line: 2502 });
    assert_eq!(stored(&bed).await, 2500);
}

async fn a_file_is_the_same_however_it_arrives(database: Database) {
    let bed = Bed::new(database).await;
    for (name, size) in [("bytes", 7), ("lines", 71), ("whole", 1 << 20)] {
        for options in [ImportOptions::default(), RESUMABLE] {
            let name = format!("{name}-{:?}", options.mode);
            let text = file(&name, 30);
            let chunks =
                text.as_bytes().chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            let done = import(&bed, chunks, options).await.unwrap();
            assert_eq!(done, Imported { sessions: 1, messages: 30, next_line: 32 }, "{name}");
        }
    }
    assert_eq!(stored(&bed).await, 180);
}

async fn imports_at_once_are_few(database: Database) {
    let bed = Bed::new(database).await;
    let scope = bed.scope();
    let waiting = || bed.conversation.import(&scope, futures_util::stream::pending(), RESUMABLE);
    let (one, two) = (waiting(), waiting());
    let third = async {
        let refused = import(&bed, vec![], RESUMABLE).await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (429, "import_busy"));
        assert!(refused.retry_after().is_some());
        // another tenant's find a place, however long this one's take
        let other = Scope::system(TenantId(uuid::Uuid::from_u128(0x07)), "test");
        let nothing = futures_util::stream::empty();
        bed.conversation.import(&other, nothing, RESUMABLE).await.expect("a place of its own");
    };
    tokio::select! {
        biased;
        _ = one => unreachable!("it never ends"),
        _ = two => unreachable!("it never ends"),
        () = third => {}
    }
    import(&bed, vec![], RESUMABLE).await.expect("those that were given up make room");
}
