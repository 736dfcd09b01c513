//! What the caches hold, and when entries are invalidated.

use loam_kernel::{OrderQuery, PageQuery, Scope};
use loam_platform::notices::Notices;
use loam_testkit::{Database, on_both};
use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;
use crate::Conversation;
use crate::chat_sessions::entity::Model;
use crate::chat_sessions::{ChatSessionFilter, ChatSessionUpdate};
use crate::messages::MessageFilter;

on_both![
    another_process_is_notified_of_a_message,
    cached_sessions_are_not_read_again_and_access_is_checked,
    recently_used_sessions_are_cached_at_startup,
    a_large_session_is_read_although_it_is_not_cached,
];

/// A session as read in three ways: its message count, its newest message, its entry in the list.
async fn read_all_ways(conversation: &Conversation, scope: &Scope, session: &Model) -> (i64, String, i64) {
    let one = conversation.sessions.get_session(scope, session.id).await.unwrap();
    let filter = MessageFilter {
        session_id: session.id,
        role: None,
        turn_id: None,
        created_after: None,
        created_before: None,
        branch_of: None,
    };
    let (page, order) = (PageQuery::default(), OrderQuery::default());
    let newest = conversation.messages.list_messages(scope, filter, &page, order).await.unwrap();
    let filter = ChatSessionFilter { user_id: session.user_id, ..ChatSessionFilter::default() };
    let list = conversation.sessions.list_sessions(scope, filter, &page, order).await.unwrap();
    let newest = newest.data.first().map(|message| message.content.clone()).unwrap_or_default();
    (one.message_count, newest, list.data.first().map_or(-1, |session| session.message_count))
}

/// Number of cache misses.
fn misses(notices: &Notices) -> u64 {
    let ours = ["chat_sessions", "user_chat_sessions", "newest_messages"];
    ours.iter().map(|name| notices.caches().misses(name)).sum()
}

async fn another_process_is_notified_of_a_message(database: Database) {
    let fixture = Fixture::new(database).await;
    let session = fixture.session(Some(fixture.user("ann").await)).await;
    let (other, notices) = fixture.another();
    let stop = CancellationToken::new();
    let watching = notices.watch(fixture.database.db.clone(), fixture.clock.clone(), stop.clone());
    let writing = async {
        for count in 1..=3 {
            let text = format!("message {count}");
            read_all_ways(&other, &fixture.scope(), &session).await;
            fixture.add_message(&session, text.as_str()).await;
            assert_eq!(
                read_all_ways(&fixture.conversation, &fixture.scope(), &session).await,
                (count, text.clone(), count)
            );
            // The other server is notified asynchronously. Without a notice this would not end.
            while read_all_ways(&other, &fixture.scope(), &session).await != (count, text.clone(), count) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        stop.cancel();
    };
    tokio::join!(watching, writing);
}

async fn cached_sessions_are_not_read_again_and_access_is_checked(database: Database) {
    let fixture = Fixture::new(database).await;
    let (ann, ben) = (fixture.user("ann").await, fixture.user("ben").await);
    let session = fixture.session(Some(ann)).await;
    fixture.add_message(&session, "hers").await;
    let (conversation, notices) = fixture.another();
    let first = read_all_ways(&conversation, &fixture.own(ann), &session).await;
    let read = misses(&notices);
    for scope in [fixture.own(ann), fixture.scope()] {
        assert_eq!(read_all_ways(&conversation, &scope, &session).await, first);
    }
    assert_eq!(misses(&notices), read, "everything was cached");
    let hidden = conversation.sessions.get_session(&fixture.own(ben), session.id).await.unwrap_err();
    assert_eq!(hidden.status(), 404, "although it is cached");
    let filter = ChatSessionFilter { user_id: Some(ann), ..ChatSessionFilter::default() };
    let (page, order) = (PageQuery::default(), OrderQuery::default());
    let list = conversation.sessions.list_sessions(&fixture.own(ben), filter, &page, order).await.unwrap();
    assert_eq!(list.data, []);
}

async fn recently_used_sessions_are_cached_at_startup(database: Database) {
    let fixture = Fixture::new(database).await;
    let ann = fixture.user("ann").await;
    let sessions = [fixture.session(Some(ann)).await, fixture.session(None).await];
    fixture.add_message(&sessions[0], "hello").await;
    let (conversation, notices) = fixture.another();
    assert_eq!(conversation.sessions.warm().await.unwrap(), 2);
    let read = misses(&notices);
    assert_eq!(read, 5, "two sessions, their pages, one user's list");
    assert_eq!(
        read_all_ways(&conversation, &fixture.scope(), &sessions[0]).await,
        (1, "hello".to_owned(), 1)
    );
    assert_eq!(misses(&notices), read);
    conversation.sessions.warm().await.unwrap();
    assert_eq!(misses(&notices), read, "cached entries are not read again");
}

async fn a_large_session_is_read_although_it_is_not_cached(database: Database) {
    let fixture = Fixture::new(database).await;
    let ann = fixture.user("ann").await;
    let session = fixture.session(Some(ann)).await;
    let prompt = "long ".repeat(20_000);
    let change =
        ChatSessionUpdate { system_prompt: Some(Some(prompt.clone())), ..ChatSessionUpdate::default() };
    let any = loam_kernel::ExpectedVersion::any();
    fixture.conversation.sessions.update_session(&fixture.scope(), session.id, &any, change).await.unwrap();
    fixture.add_message(&session, "x".repeat(100_000)).await;
    let (one, newest, listed) = read_all_ways(&fixture.conversation, &fixture.own(ann), &session).await;
    assert_eq!((one, newest.len(), listed), (1, 100_000, 1));
    let again = fixture.conversation.sessions.get_session(&fixture.own(ann), session.id).await.unwrap();
    assert_eq!(again.system_prompt, Some(prompt));
}
