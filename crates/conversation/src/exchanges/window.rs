//! The stored messages that a request is compared with: the newest of the session, as many as the request can
//! match.

use loam_db::Tx;
use loam_gateway::hook::{ChatMessage, ChatRole};
use loam_kernel::{LlmCallId, MessageId, Result};
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::matching::{MAX_COMPARED, StoredMessage, fingerprint};
use crate::chat_sessions::entity::Model as Session;
use crate::messages::entity::{Column, Entity, Role};
use crate::messages::span::Span;

/// Minimum number of messages read: branches lie between the messages of the branch that a request follows.
const MIN_MESSAGES: usize = 100;

/// The columns needed for the comparison.
#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
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
    /// Ordered by sequence number.
    pub(super) stored: Vec<StoredMessage>,
    /// The texts of the system messages among them.
    pub(super) system_texts: Vec<String>,
    /// Whether there are older messages.
    pub(super) truncated: bool,
}

/// Reads as many messages of a session as a request of this length may have to be compared with.
pub(super) async fn read<R>(tx: &Tx<R>, session: &Session, request_length: usize) -> Result<Window> {
    let limit = (request_length.min(MAX_COMPARED) * 2).max(MIN_MESSAGES);
    let mut find = tx.find::<Entity>().filter(Column::SessionId.eq(session.id));
    // Reads only the partitions of the months in which the session has messages.
    if let Some(span) = Span::of_session(session) {
        find = find.within_ids(span.from, span.before);
    }
    let newest = find.order_by_desc(Column::SequenceNumber).limit(limit as u64);
    let mut rows: Vec<Row> = newest.partial().await?;
    rows.reverse();
    let mut window = Window {
        stored: Vec::with_capacity(rows.len()),
        system_texts: Vec::new(),
        truncated: usize::try_from(session.message_count).unwrap_or(usize::MAX) > rows.len(),
    };
    for row in rows {
        let message = ChatMessage {
            role: chat_role(row.role),
            text: row.content,
            parts: row.parts,
            tool_calls: row.tool_calls,
            tool_call_id: row.tool_call_id,
        };
        window.stored.push(StoredMessage {
            id: row.id,
            parent: row.parent_id,
            fingerprint: fingerprint(&message),
            call: row.llm_call_id,
        });
        if message.role == ChatRole::System {
            window.system_texts.push(message.text);
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
