//! Personal data held by this crate: a user's conversations, and their messages in other conversations.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::{ChatSessionId, Clock, MessageId, Result, TurnId, UserId};
use loam_platform::notices;
use loam_platform::personal::{Cursor, PersonQuery, PersonalDataStore, Removed, Rows, Step, null};
use loam_platform::webhook_deliveries::delete_lanes;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, DerivePartialModel, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::channels::{chats, events, senders};
use crate::chat_sessions::entity as sessions;
use crate::chat_sessions::routes::ChatSessionView;
use crate::context::summaries;
use crate::messages::entity as messages;
use crate::messages::routes::MessageView;
use crate::session_configs::entity as configs;
use crate::session_configs::routes::SessionConfigView;
use crate::turns::{entity as turns, part, rendered_stream};

/// Rows per transaction.
const PAGE: u64 = 200;
/// Turns per page of an export; each includes its whole event stream.
const TURNS: u64 = 20;

/// The stores of this crate. Whatever belongs to a session comes before the session.
pub fn stores(clock: &Clock) -> Vec<Arc<dyn PersonalDataStore>> {
    vec![
        Arc::new(EVENTS),
        Arc::new(Chats),
        Arc::new(SENDERS),
        Arc::new(Turns),
        Arc::new(SUMMARIES),
        Arc::new(CONFIGS),
        Arc::new(MESSAGES),
        Arc::new(MessagesElsewhere(clock.clone())),
        Arc::new(Sessions(clock.clone())),
    ]
}

/// Stores that find their rows only through the session, and so must run before it is deleted.
pub(crate) fn found_by_session() -> [&'static dyn PersonalDataStore; 3] {
    [&EVENTS, &Chats, &Turns]
}

/// The platform's event id is kept, so that a redelivered event is recognized as a duplicate.
const EVENTS: Rows<events::Entity> = Rows {
    emptied: Some(|| {
        vec![
            (events::Column::Question, Expr::val(Option::<Value>::None)),
            (events::Column::ErrorMessage, null()),
            (events::Column::SessionId, Expr::val(Option::<Uuid>::None)),
            (events::Column::State, Expr::val("ignored")),
        ]
    }),
    retained: Some(
        "the platform's id of each received event, so that a redelivery is recognized as a duplicate",
    ),
    ..Rows::by_index(
        "channel_events",
        |who| who.by_session(events::Column::SessionId),
        |row: &events::Model| row.id.0,
        |row: events::Model| json!({ "id": row.id, "session_id": row.session_id, "question": row.question, "created_at": row.created_at }),
    )
};

const SENDERS: Rows<senders::Entity> = Rows::by_index(
    "channel_senders",
    |who| who.by_user(senders::Column::UserId),
    |row: &senders::Model| row.id.0,
    |row: senders::Model| json!({ "channel_id": row.channel_id, "external_id": row.external_id, "name": row.name, "created_at": row.created_at }),
);

const SUMMARIES: Rows<summaries::Entity> = Rows::by_index(
    "session_summaries",
    |who| who.by_session(summaries::Column::SessionId),
    |row: &summaries::Model| row.id.0,
    |row: summaries::Model| json!({ "session_id": row.session_id, "content": row.content, "created_at": row.created_at }),
);

const CONFIGS: Rows<configs::Entity> = Rows {
    // A session's tools hold secrets of the application.
    conditions: |who| {
        let found = who.by_session(configs::Column::SessionId).into_iter();
        found.map(|found| found.add(configs::Column::Key.ne("tools"))).collect()
    },
    ..Rows::by_index(
        "session_configs",
        |_| Vec::new(),
        |row: &configs::Model| row.id.0,
        |row: configs::Model| view(SessionConfigView::from(row)),
    )
};

const MESSAGES: Rows<messages::Entity> = Rows::by_index(
    "messages",
    |who| who.by_session(messages::Column::SessionId),
    |row: &messages::Model| row.id.0,
    |row: messages::Model| view(MessageView::from(row)),
);

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
}

/// Chats of other platforms that are linked to sessions, with their outgoing deliveries.
struct Chats;

#[async_trait]
impl PersonalDataStore for Chats {
    fn name(&self) -> &'static str {
        "channel_chats"
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let conditions = who.by_session(chats::Column::SessionId);
        let Some(condition) = conditions.into_iter().nth(from.part) else { return Ok(Step::default()) };
        let find = tx.find::<chats::Entity>().filter(condition).filter(chats::Column::Id.gt(from.after));
        let rows = find.order_by_asc(chats::Column::Id).limit(PAGE).all().await?;
        let next = Some(from.behind(rows.last().map(|row| row.id.0), rows.len(), PAGE));
        let lanes: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
        let deliveries = Removed { deleted: delete_lanes(tx, &lanes).await?, emptied: 0 };
        let deletion =
            tx.delete::<chats::Entity>().filter(chats::Column::Id.is_in(rows.iter().map(|row| row.id)));
        let removed = Removed { deleted: deletion.exec().await?, emptied: 0 };
        Ok(Step { removed: vec![(self.name(), removed), ("webhook_deliveries", deliveries)], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let conditions = who.by_session(chats::Column::SessionId);
        let Some(condition) = conditions.into_iter().nth(from.part) else { return Ok((Vec::new(), None)) };
        let find = tx.find::<chats::Entity>().filter(condition).filter(chats::Column::Id.gt(from.after));
        let rows = find.order_by_asc(chats::Column::Id).limit(PAGE).all().await?;
        let next = from.behind(rows.last().map(|row| row.id.0), rows.len(), PAGE);
        let shown = rows.into_iter().map(|row| {
            json!({ "channel_id": row.channel_id, "external_id": row.external_id, "title": row.title, "session_id": row.session_id })
        });
        Ok((shown.collect(), Some(next)))
    }
}

/// Turns, with the text of their event streams.
struct Turns;

#[async_trait]
impl PersonalDataStore for Turns {
    fn name(&self) -> &'static str {
        "turns"
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let conditions = who.by_session(turns::Column::SessionId);
        let Some(condition) = conditions.into_iter().nth(from.part) else { return Ok(Step::default()) };
        let find = tx.find::<turns::Entity>().filter(condition).filter(turns::Column::Id.gt(from.after));
        let find = find.select_only().column(turns::Column::Id).order_by_asc(turns::Column::Id);
        let ids: Vec<TurnId> =
            find.limit(PAGE).into::<Row>().await?.into_iter().map(|row| row.id.into()).collect();
        let next = Some(from.behind(ids.last().map(|id| id.0), ids.len(), PAGE));
        let parts = tx.delete::<part::Entity>().filter(part::Column::TurnId.is_in(ids.iter().copied()));
        let parts = Removed { deleted: parts.exec().await?, emptied: 0 };
        let deletion = tx.delete::<turns::Entity>().filter(turns::Column::Id.is_in(ids));
        let removed = Removed { deleted: deletion.exec().await?, emptied: 0 };
        Ok(Step { removed: vec![(self.name(), removed), ("turn_parts", parts)], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let conditions = who.by_session(turns::Column::SessionId);
        let Some(condition) = conditions.into_iter().nth(from.part) else { return Ok((Vec::new(), None)) };
        let find = tx.find::<turns::Entity>().filter(condition).filter(turns::Column::Id.gt(from.after));
        let rows = find.order_by_asc(turns::Column::Id).limit(TURNS).all().await?;
        let next = from.behind(rows.last().map(|row| row.id.0), rows.len(), TURNS);
        let shown = rows.into_iter().map(|row| {
            let (state, stream) = (row.state.name(), rendered_stream(&row));
            json!({
                "id": row.id, "session_id": row.session_id, "state": state, "model": row.model, "input": row.input.0,
                "stream": stream, "error": row.error, "created_at": row.created_at,
            })
        });
        Ok((shown.collect(), Some(next)))
    }
}

/// The person's messages in conversations that are not theirs, such as group chats.
struct MessagesElsewhere(Clock);

#[derive(DerivePartialModel)]
#[sea_orm(entity = "messages::Entity")]
struct MessageRow {
    id: MessageId,
    session_id: ChatSessionId,
}

fn messages_elsewhere(who: &PersonQuery) -> Vec<Condition> {
    let sessions = || who.sessions.iter().take(500).copied();
    let conditions = who.by_user(messages::Column::SenderId).into_iter();
    conditions.map(|found| found.add(messages::Column::SessionId.is_not_in(sessions()))).collect()
}

#[async_trait]
impl PersonalDataStore for MessagesElsewhere {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn scans_tenant(&self) -> bool {
        true
    }

    fn retained(&self) -> Option<&'static str> {
        Some(
            "the position of each message in a conversation of several people, without its content and its sender",
        )
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        use messages::Column;
        let Some(condition) = messages_elsewhere(who).into_iter().nth(from.part) else {
            return Ok(Step::default());
        };
        let find = tx.find::<messages::Entity>().filter(condition).filter(Column::Id.gt(from.after));
        let find = find.order_by_asc(Column::Id);
        let rows: Vec<MessageRow> = find.limit(PAGE).partial().await?;
        let next = Some(from.behind(rows.last().map(|row| row.id.0), rows.len(), PAGE));
        let emptied = tx
            .update_many::<messages::Entity>()
            .set(Column::Content, Expr::val(String::new()))
            .set(Column::Parts, Expr::val(Option::<Value>::None))
            .set(Column::ToolCalls, Expr::val(Option::<Value>::None))
            .set(Column::Metadata, Expr::val(json!({})))
            .set(Column::SenderId, Expr::val(Option::<Uuid>::None))
            .set(Column::DeletedAt, Expr::val(self.0.now()))
            .filter(Column::Id.is_in(rows.iter().map(|row| row.id)));
        let emptied = emptied.exec().await?;
        let touched: HashSet<ChatSessionId> = rows.iter().map(|row| row.session_id).collect();
        for session in touched {
            tx.delete::<summaries::Entity>().filter(summaries::Column::SessionId.eq(session)).exec().await?;
            notices::announce(tx, &self.0, crate::messages::entity::TOPIC, session.0, None).await?;
        }
        Ok(Step { removed: vec![(self.name(), Removed { deleted: 0, emptied })], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let Some(condition) = messages_elsewhere(who).into_iter().nth(from.part) else {
            return Ok((Vec::new(), None));
        };
        let find =
            tx.find::<messages::Entity>().filter(condition).filter(messages::Column::Id.gt(from.after));
        let rows = find.order_by_asc(messages::Column::Id).limit(PAGE).all().await?;
        let next = from.behind(rows.last().map(|row| row.id.0), rows.len(), PAGE);
        Ok((rows.into_iter().map(|row| view(MessageView::from(row))).collect(), Some(next)))
    }
}

/// The conversations and their fields. Last, because everything else is found through them.
struct Sessions(Clock);

#[derive(DerivePartialModel)]
#[sea_orm(entity = "sessions::Entity")]
struct SessionRow {
    id: ChatSessionId,
    user_id: Option<UserId>,
}

#[async_trait]
impl PersonalDataStore for Sessions {
    fn name(&self) -> &'static str {
        "chat_sessions"
    }

    async fn resolve(&self, tx: &Tx<Tenant>, who: &mut PersonQuery) -> Result<()> {
        for condition in who.by_user(sessions::Column::UserId) {
            let find = tx.find::<sessions::Entity>().filter(condition).select_only();
            let found: Vec<Row> = find.column(sessions::Column::Id).into().await?;
            who.sessions.extend(found.into_iter().map(|row| ChatSessionId(row.id)));
        }
        who.sessions.sort_unstable_by_key(|id| id.0);
        who.sessions.dedup();
        Ok(())
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        use sessions::Column;
        let conditions = who.by_session(Column::Id);
        let Some(condition) = conditions.into_iter().nth(from.part) else { return Ok(Step::default()) };
        let find = tx.find::<sessions::Entity>().filter(condition);
        let rows: Vec<SessionRow> = find.partial().await?;
        let deletion =
            tx.delete::<sessions::Entity>().filter(Column::Id.is_in(rows.iter().map(|row| row.id)));
        let removed = Removed { deleted: deletion.exec().await?, emptied: 0 };
        for row in rows {
            notices::announce(tx, &self.0, crate::chat_sessions::TOPIC, row.id.0, row.user_id).await?;
        }
        let next = Some(Cursor { part: from.part + 1, after: Uuid::nil() });
        Ok(Step { removed: vec![(self.name(), removed)], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let conditions = who.by_session(sessions::Column::Id);
        let Some(condition) = conditions.into_iter().nth(from.part) else { return Ok((Vec::new(), None)) };
        let rows = tx.find::<sessions::Entity>().filter(condition).all().await?;
        let next = Cursor { part: from.part + 1, after: Uuid::nil() };
        Ok((rows.into_iter().map(|row| view(ChatSessionView::from(row))).collect(), Some(next)))
    }
}

fn view(shown: impl Serialize) -> Value {
    serde_json::to_value(shown).unwrap_or_default()
}
