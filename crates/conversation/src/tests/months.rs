//! Reading a session's messages touches only the partitions of its months.

use bytes::Bytes;
use loam_kernel::{Order, OrderQuery, PageQuery};
use loam_testkit::Database;
use serde_json::json;

use super::fixture::Fixture;
use crate::history::ImportOptions;
use crate::messages::MessageFilter;
use crate::messages::entity::Role;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_a_session_touches_only_its_months() {
    let fixture = Fixture::new(Database::postgres().await).await;
    let months = ["2023-11", "2024-01", "2024-02", "2024-05"];
    let mut lines = String::new();
    for (session, months) in [("mine", &months[1..3]), ("others", &months[..])] {
        lines.push_str(&format!("{}\n", json!({ "type": "session", "external_id": session })));
        for month in months {
            let at = format!("{month}-15T12:00:00Z");
            let line = json!({ "type": "message", "session": session, "role": "user", "content": month, "created_at": at });
            lines.push_str(&format!("{line}\n"));
        }
    }
    let chunk = futures_util::stream::iter([Ok(Bytes::from(lines))]);
    fixture.conversation.history.import(&fixture.scope(), chunk, ImportOptions::default()).await.unwrap();
    let mut raw = fixture.database.raw().await;
    let partitions =
        "SELECT relname::text FROM pg_class WHERE relname LIKE 'messages_2%' AND relkind = 'r' ORDER BY 1";
    let all = raw.texts(partitions).await;
    let mine = ["messages_2024_01", "messages_2024_02"];
    assert!(all.len() > 6 && mine.iter().all(|month| all.contains(&(*month).to_owned())), "{all:?}");
    assert!(!all.contains(&"messages_2023_12".to_owned()), "months without messages have no partition");

    // A query on another month now blocks until the statement timeout.
    let others: Vec<String> = all.into_iter().filter(|name| !mine.contains(&name.as_str())).collect();
    raw.run(format!("BEGIN; LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE", others.join(", "))).await;
    let tx = fixture.database.db.read(&fixture.scope()).await.unwrap();
    let found = sea_orm::QueryFilter::filter(
        tx.find::<crate::chat_sessions::entity::Entity>(),
        sea_orm::ColumnTrait::eq(&crate::chat_sessions::entity::Column::ExternalId, "mine"),
    );
    let session = found.one().await.unwrap().unwrap();
    drop(tx);
    let plain = MessageFilter {
        session_id: session.id,
        role: None,
        turn_id: None,
        created_after: None,
        created_before: None,
        branch_of: None,
    };
    let ways = [
        plain.clone(),
        MessageFilter { role: Some(Role::User), ..plain.clone() },
        MessageFilter { branch_of: session.head_id, ..plain.clone() },
    ];
    for filter in ways {
        for order in [Order::Desc, Order::Asc] {
            let (page, order) = (PageQuery::default(), OrderQuery { order: Some(order) });
            let read = fixture
                .conversation
                .messages
                .list_messages(&fixture.scope(), filter.clone(), &page, order)
                .await;
            assert_eq!(read.unwrap().data.len(), 2, "{filter:?}");
        }
    }
    let message =
        fixture.conversation.messages.get_message(&fixture.scope(), session.head_id.unwrap()).await.unwrap();
    assert_eq!(message.content, "2024-02");
    let export = fixture.conversation.history.export(
        &fixture.scope(),
        crate::chat_sessions::ChatSessionFilter {
            external_id: Some("mine".to_owned()),
            ..Default::default()
        },
    );
    let parts: Vec<_> = futures_util::TryStreamExt::try_collect(export.into_stream()).await.unwrap();
    let text: Vec<Bytes> = parts;
    assert_eq!(text.concat().split(|byte| *byte == b'\n').count(), 5, "a session, two messages, the end");
    raw.run("ROLLBACK").await;
}
