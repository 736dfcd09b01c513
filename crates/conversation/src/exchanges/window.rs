//! The stored messages that a request is compared with: the newest of the session, in a number that the request bounds.

use loam_db::Tx;
use loam_gateway::hook::{ChatMessage, ChatRole};
use loam_kernel::{LlmCallId, MessageId, Result};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::matching::{Known, MAX_COMPARED, key};
use crate::chat_sessions::entity::Model as Session;
use crate::messages::entity::{Column, Entity, Role};
use crate::messages::span::Span;

/// Messages that are read at least: branches lie between the messages of the one that a request follows.
const LEAST: usize = 100;

/// What is read of a message.
#[derive(FromQueryResult)]
struct Row {
    id: MessageId,
    parent_id: Option<MessageId>,
    role: Role,
    content: String,
    parts: Option<Value>,
    tool_calls: Option<Value>,
    tool_call_id: Option<String>,
    llm_call_id: Option<LlmCallId>,
}

/// The newest messages of a session.
pub(super) struct Window {
    /// In the order of their numbers.
    pub(super) known: Vec<Known>,
    /// What the system messages among them say.
    pub(super) systems: Vec<String>,
    /// Whether there are older ones.
    pub(super) cut: bool,
}

/// Reads as many of a session's messages as a request of so many may have to be compared with.
pub(super) async fn read<R>(tx: &Tx<R>, session: &Session, asked: usize) -> Result<Window> {
    let most = (asked.min(MAX_COMPARED) * 2).max(LEAST);
    let mut find = tx
        .find::<Entity>()
        .select_only()
        .column(Column::Id)
        .column(Column::ParentId)
        .column(Column::Role)
        .column(Column::Content)
        .column(Column::Parts)
        .column(Column::ToolCalls)
        .column(Column::ToolCallId)
        .column(Column::LlmCallId)
        .filter(Column::SessionId.eq(session.id));
    // only the months that the session lived in
    if let Some(span) = Span::of_session(session) {
        find = find.within_ids(span.from, span.before);
    }
    let newest = find.order_by_desc(Column::SequenceNumber).limit(most as u64);
    let mut rows: Vec<Row> = newest.into::<Row>().await?;
    rows.reverse();
    let mut window = Window {
        known: Vec::with_capacity(rows.len()),
        systems: Vec::new(),
        cut: usize::try_from(session.message_count).unwrap_or(usize::MAX) > rows.len(),
    };
    for row in rows {
        let said = ChatMessage {
            role: chat_role(row.role),
            text: row.content,
            parts: row.parts,
            tool_calls: row.tool_calls,
            tool_call_id: row.tool_call_id,
        };
        window.known.push(Known {
            id: row.id,
            parent: row.parent_id,
            key: key(&said),
            call: row.llm_call_id,
        });
        if said.role == ChatRole::System {
            window.systems.push(said.text);
        }
    }
    Ok(window)
}

fn chat_role(role: Role) -> ChatRole {
    match role {
        Role::System => ChatRole::System,
        Role::User => ChatRole::User,
        Role::Assistant => ChatRole::Assistant,
        Role::Tool => ChatRole::Tool,
    }
}
