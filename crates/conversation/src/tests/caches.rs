//! What is kept in memory, and when it passes.

use loam_kernel::{OrderQuery, PageQuery, Scope};
use loam_platform::notices::Notices;
use loam_testkit::{Database, on_both};
use tokio_util::sync::CancellationToken;

use super::bed::Bed;
use crate::Conversation;
use crate::chat_sessions::entity::Model;
use crate::chat_sessions::{ChatSessionFilter, ChatSessionUpdate};
use crate::messages::MessageFilter;

on_both![
    another_process_hears_of_a_message,
    nothing_is_read_twice_and_nobody_sees_anothers,
    what_was_used_last_is_in_memory_after_a_start,
    a_large_session_is_read_whole_though_it_is_not_kept,
];

/// What somebody sees of a session in each of the three ways: its count, its newest message, its place in the list.
async fn seen(conversation: &Conversation, scope: &Scope, session: &Model) -> (i64, String, i64) {
    let one = conversation.get_session(scope, session.id).await.unwrap();
    let filter = MessageFilter {
        session_id: session.id,
        role: None,
        turn_id: None,
        created_after: None,
        created_before: None,
        branch_of: None,
    };
    let (page, order) = (PageQuery::default(), OrderQuery::default());
    let newest = conversation.list_messages(scope, filter, &page, order).await.unwrap();
    let filter = ChatSessionFilter { user_id: session.user_id, ..ChatSessionFilter::default() };
    let list = conversation.list_sessions(scope, filter, &page, order).await.unwrap();
    let newest = newest.data.first().map(|message| message.content.clone()).unwrap_or_default();
    (one.message_count, newest, list.data.first().map_or(-1, |session| session.message_count))
}

/// Readings that were not answered from memory.
fn misses(notices: &Notices) -> u64 {
    let ours = ["chat_sessions", "user_chat_sessions", "newest_messages"];
    ours.iter().map(|name| notices.caches().misses(name)).sum()
}

async fn another_process_hears_of_a_message(database: Database) {
    let bed = Bed::new(database).await;
    let session = bed.session(Some(bed.user("ann").await)).await;
    let (other, notices) = bed.another();
    let stop = CancellationToken::new();
    let watching = notices.watch(bed.database.db.clone(), bed.clock.clone(), stop.clone());
    let looking = async {
        for count in 1..=3 {
            let text = format!("message {count}");
            seen(&other, &bed.scope(), &session).await;
            bed.say(&session, text.as_str()).await;
            assert_eq!(seen(&bed.conversation, &bed.scope(), &session).await, (count, text.clone(), count));
            // the other one is told by and by; what it never is told of would keep this from ending
            while seen(&other, &bed.scope(), &session).await != (count, text.clone(), count) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        stop.cancel();
    };
    tokio::join!(watching, looking);
}

async fn nothing_is_read_twice_and_nobody_sees_anothers(database: Database) {
    let bed = Bed::new(database).await;
    let (ann, ben) = (bed.user("ann").await, bed.user("ben").await);
    let session = bed.session(Some(ann)).await;
    bed.say(&session, "hers").await;
    let (conversation, notices) = bed.another();
    let first = seen(&conversation, &bed.own(ann), &session).await;
    let read = misses(&notices);
    for scope in [bed.own(ann), bed.scope()] {
        assert_eq!(seen(&conversation, &scope, &session).await, first);
    }
    assert_eq!(misses(&notices), read, "all of it was in memory");
    let hidden = conversation.get_session(&bed.own(ben), session.id).await.unwrap_err();
    assert_eq!(hidden.status(), 404, "though it is in memory");
    let filter = ChatSessionFilter { user_id: Some(ann), ..ChatSessionFilter::default() };
    let (page, order) = (PageQuery::default(), OrderQuery::default());
    let list = conversation.list_sessions(&bed.own(ben), filter, &page, order).await.unwrap();
    assert_eq!(list.data, []);
}

async fn what_was_used_last_is_in_memory_after_a_start(database: Database) {
    let bed = Bed::new(database).await;
    let ann = bed.user("ann").await;
    let sessions = [bed.session(Some(ann)).await, bed.session(None).await];
    bed.say(&sessions[0], "hello").await;
    let (conversation, notices) = bed.another();
    assert_eq!(conversation.warm().await.unwrap(), 2);
    let read = misses(&notices);
    assert_eq!(read, 5, "two sessions, their pages, one user's list");
    assert_eq!(seen(&conversation, &bed.scope(), &sessions[0]).await, (1, "hello".to_owned(), 1));
    assert_eq!(misses(&notices), read);
    conversation.warm().await.unwrap();
    assert_eq!(misses(&notices), read, "what is there is not read again");
}

async fn a_large_session_is_read_whole_though_it_is_not_kept(database: Database) {
    let bed = Bed::new(database).await;
    let ann = bed.user("ann").await;
    let session = bed.session(Some(ann)).await;
    let prompt = "long ".repeat(20_000);
    let change =
        ChatSessionUpdate { system_prompt: Some(Some(prompt.clone())), ..ChatSessionUpdate::default() };
    let any = loam_http::surface::IfMatch::any();
    bed.conversation.update_session(&bed.scope(), session.id, &any, change).await.unwrap();
    bed.say(&session, "x".repeat(100_000)).await;
    let (one, newest, listed) = seen(&bed.conversation, &bed.own(ann), &session).await;
    assert_eq!((one, newest.len(), listed), (1, 100_000, 1));
    let again = bed.conversation.get_session(&bed.own(ann), session.id).await.unwrap();
    assert_eq!(again.system_prompt, Some(prompt));
}
