//! Deletions are complete, and remove nothing else.

use bytes::Bytes;
use loam_identity::erasures::RunErasure;
use loam_jobs::Runner;
use loam_platform::domain::Domain;
use loam_testkit::{Database, on_both};
use serde_json::json;

use super::fixture::Fixture;
use crate::chat_sessions::entity as sessions;
use crate::history::ImportOptions;
use crate::messages::entity as messages;
use crate::session_configs::entity as configs;

on_both![all_messages_are_deleted_with_their_session, a_users_sessions_are_deleted_with_the_user];

/// Imports a session with many messages.
async fn fill(fixture: &Fixture, name: &str, count: usize) {
    let mut lines = json!({ "type": "session", "external_id": name, "configs": { "seed": 1 } }).to_string();
    for number in 0..count {
        let line =
            json!({ "type": "message", "session": name, "role": "user", "content": number.to_string() });
        lines.push_str(&format!("\n{line}"));
    }
    let chunk = futures_util::stream::iter([Ok(Bytes::from(lines))]);
    fixture.conversation.history.import(&fixture.scope(), chunk, ImportOptions::default()).await.unwrap();
}

/// Number of sessions, messages and settings.
async fn counts(fixture: &Fixture) -> (u64, u64, u64) {
    let tx = fixture.database.db.read(&fixture.scope()).await.unwrap();
    (
        tx.find::<sessions::Entity>().count().await.unwrap(),
        tx.find::<messages::Entity>().count().await.unwrap(),
        tx.find::<configs::Entity>().count().await.unwrap(),
    )
}

/// Runs jobs until the counts are as expected.
async fn run_jobs_until(fixture: &Fixture, expected: (u64, u64, u64)) {
    let handlers = fixture.conversation.jobs().unwrap().with(RunErasure(fixture.identity.clone()));
    let config = loam_jobs::Config::default();
    let db = fixture.database.db.clone();
    let runner = Runner::start(db, fixture.clock.clone(), handlers, config, fixture.clock.id()).unwrap();
    while counts(fixture).await != expected {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    runner.stop(std::time::Duration::from_secs(5)).await;
}

async fn all_messages_are_deleted_with_their_session(database: Database) {
    let fixture = Fixture::new(database).await;
    fill(&fixture, "deleted", 2500).await;
    fill(&fixture, "kept", 10).await;
    assert_eq!(counts(&fixture).await, (2, 2510, 2));
    let tx = fixture.database.db.read(&fixture.scope()).await.unwrap();
    let all = tx.find::<sessions::Entity>().all().await.unwrap();
    drop(tx);
    let deleted = all.iter().find(|session| session.external_id.as_deref() == Some("deleted")).unwrap();
    fixture.conversation.sessions.delete_session(&fixture.scope(), deleted.id).await.unwrap();
    assert_eq!(counts(&fixture).await.0, 1, "the session and its settings are deleted at once");
    run_jobs_until(&fixture, (1, 10, 1)).await;
}

async fn a_users_sessions_are_deleted_with_the_user(database: Database) {
    let fixture = Fixture::new(database).await;
    let (ann, ben) = (fixture.user("ann").await, fixture.user("ben").await);
    for user in [Some(ann), Some(ben), None, Some(ann)] {
        let session = fixture.session(user).await;
        fixture.add_message(&session, "hello").await;
    }
    fixture.identity.delete_user(&fixture.scope(), ann).await.unwrap();
    run_jobs_until(&fixture, (2, 2, 0)).await;
    let tx = fixture.database.db.read(&fixture.scope()).await.unwrap();
    let left = tx.find::<sessions::Entity>().all().await.unwrap();
    assert!(left.iter().all(|session| session.user_id != Some(ann)));
}
