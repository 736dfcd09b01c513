//! Imports that fail.

use bytes::Bytes;
use loam_kernel::{Error, Kind, Result, Scope, TenantId};
use loam_testkit::{Database, on_both};
use serde_json::json;

use super::fixture::Fixture;
use crate::chat_sessions::entity as sessions;
use crate::history::{ImportMode, ImportOptions, Imported};

on_both![
    an_interrupted_import_is_resumable_or_stores_nothing,
    chunk_boundaries_do_not_matter,
    concurrent_imports_are_limited,
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

async fn import(fixture: &Fixture, chunks: Vec<Result<Bytes>>, options: ImportOptions) -> Result<Imported> {
    fixture.conversation.history.import(&fixture.scope(), futures_util::stream::iter(chunks), options).await
}

async fn stored(fixture: &Fixture) -> i64 {
    let tx = fixture.database.db.read(&fixture.scope()).await.unwrap();
    tx.find::<sessions::Entity>().all().await.unwrap().iter().map(|session| session.message_count).sum()
}

async fn an_interrupted_import_is_resumable_or_stores_nothing(database: Database) {
    let fixture = Fixture::new(database).await;
    let broken = || Err(Error::new(Kind::Invalid, "body_unreadable", "the body could not be read"));
    let text = file("a", 2500);
    let error =
        import(&fixture, vec![Ok(Bytes::from(text.clone())), broken()], ImportOptions::default()).await;
    assert_eq!((error.unwrap_err().code(), stored(&fixture).await), ("body_unreadable", 0));
    let error = import(&fixture, vec![Ok(Bytes::from(text.clone())), broken()], RESUMABLE).await.unwrap_err();
    assert_eq!(error.code(), "body_unreadable");
    assert!(error.message().contains("from_line=2001"), "{error}");
    assert_eq!(stored(&fixture).await, 1999);
    let rest = ImportOptions { from_line: Some(2001), ..RESUMABLE };
    let done = import(&fixture, vec![Ok(Bytes::from(text))], rest).await.unwrap();
    assert_eq!(done, Imported { sessions: 0, messages: 501, next_line: 2502 });
    assert_eq!(stored(&fixture).await, 2500);
}

async fn chunk_boundaries_do_not_matter(database: Database) {
    let fixture = Fixture::new(database).await;
    for (name, size) in [("bytes", 7), ("lines", 71), ("whole", 1 << 20)] {
        for options in [ImportOptions::default(), RESUMABLE] {
            let name = format!("{name}-{:?}", options.mode);
            let text = file(&name, 30);
            let chunks =
                text.as_bytes().chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            let done = import(&fixture, chunks, options).await.unwrap();
            assert_eq!(done, Imported { sessions: 1, messages: 30, next_line: 32 }, "{name}");
        }
    }
    assert_eq!(stored(&fixture).await, 180);
}

async fn concurrent_imports_are_limited(database: Database) {
    let fixture = Fixture::new(database).await;
    let scope = fixture.scope();
    let stalled = || fixture.conversation.history.import(&scope, futures_util::stream::pending(), RESUMABLE);
    let (one, two) = (stalled(), stalled());
    let third = async {
        let refused = import(&fixture, vec![], RESUMABLE).await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (429, "import_busy"));
        assert!(refused.retry_after().is_some());
        // Another tenant's imports get a slot, however long these take.
        let other = Scope::system(TenantId(uuid::Uuid::from_u128(0x07)), "test");
        let nothing = futures_util::stream::empty();
        fixture
            .conversation
            .history
            .import(&other, nothing, RESUMABLE)
            .await
            .expect("another tenant has its own slots");
    };
    tokio::select! {
        biased;
        _ = one => unreachable!("it never ends"),
        _ = two => unreachable!("it never ends"),
        () = third => {}
    }
    import(&fixture, vec![], RESUMABLE).await.expect("cancelled imports release their slots");
}
