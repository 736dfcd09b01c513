//! What is deleted goes with all it had, and nothing else goes.

use bytes::Bytes;
use loam_identity::erasures::RunErasure;
use loam_jobs::{Handlers, Runner};
use loam_testkit::{Database, on_both};
use serde_json::json;

use super::bed::Bed;
use crate::chat_sessions::entity as sessions;
use crate::history::ImportOptions;
use crate::messages::entity as messages;
use crate::session_configs::entity as configs;

on_both![thousands_of_messages_go_with_their_session, a_users_sessions_go_with_the_user];

/// Imports a session of many messages.
async fn fill(bed: &Bed, name: &str, count: usize) {
    let mut lines = json!({ "type": "session", "external_id": name, "configs": { "seed": 1 } }).to_string();
    for number in 0..count {
        let line =
            json!({ "type": "message", "session": name, "role": "user", "content": number.to_string() });
        lines.push_str(&format!("\n{line}"));
    }
    let chunk = futures_util::stream::iter([Ok(Bytes::from(lines))]);
    bed.conversation.import(&bed.scope(), chunk, ImportOptions::default()).await.unwrap();
}

/// Sessions, messages and settings that there are.
async fn counts(bed: &Bed) -> (u64, u64, u64) {
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    (
        tx.find::<sessions::Entity>().count().await.unwrap(),
        tx.find::<messages::Entity>().count().await.unwrap(),
        tx.find::<configs::Entity>().count().await.unwrap(),
    )
}

/// Runs jobs until there is what there shall be.
async fn work_until(bed: &Bed, wanted: (u64, u64, u64)) {
    let handlers = bed.conversation.jobs(Handlers::new()).unwrap().with(RunErasure(bed.identity.clone()));
    let config = loam_jobs::Config::default();
    let db = bed.database.db.clone();
    let runner = Runner::start(db, bed.clock.clone(), handlers, config, bed.clock.id()).unwrap();
    while counts(bed).await != wanted {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    runner.stop(std::time::Duration::from_secs(5)).await;
}

async fn thousands_of_messages_go_with_their_session(database: Database) {
    let bed = Bed::new(database).await;
    fill(&bed, "gone", 2500).await;
    fill(&bed, "kept", 10).await;
    assert_eq!(counts(&bed).await, (2, 2510, 2));
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let all = tx.find::<sessions::Entity>().all().await.unwrap();
    drop(tx);
    let gone = all.iter().find(|session| session.external_id.as_deref() == Some("gone")).unwrap();
    bed.conversation.delete_session(&bed.scope(), gone.id).await.unwrap();
    assert_eq!(counts(&bed).await.0, 1, "the session and its settings at once");
    work_until(&bed, (1, 10, 1)).await;
}

async fn a_users_sessions_go_with_the_user(database: Database) {
    let bed = Bed::new(database).await;
    let (ann, ben) = (bed.user("ann").await, bed.user("ben").await);
    for user in [Some(ann), Some(ben), None, Some(ann)] {
        let session = bed.session(user).await;
        bed.say(&session, "hello").await;
    }
    bed.identity.delete_user(&bed.scope(), ann).await.unwrap();
    work_until(&bed, (2, 2, 0)).await;
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let left = tx.find::<sessions::Entity>().all().await.unwrap();
    assert!(left.iter().all(|session| session.user_id != Some(ann)));
}
