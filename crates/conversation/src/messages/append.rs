//! The only way to add messages: sequence numbers come from the session's row, locked in the same
//! transaction.

use chrono::{DateTime, Utc};
use loam_db::Tx;
use loam_kernel::{Clock, LlmCallId, MessageId, Result, TenantId, TurnId, UserId};
use loam_platform::notices;
use sea_orm::{IntoActiveModel, Set};
use serde_json::{Value, json};

use super::entity::{ActiveModel, FinishReason, Model, Role};
use crate::chat_sessions::entity as sessions;

/// The parent of a new message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Parent {
    /// The head of the active branch.
    #[default]
    Head,
    /// None: it starts the conversation anew.
    None,
    /// This message, which has been checked to belong to the session.
    Message(MessageId),
}

/// A message to write.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    /// A preassigned id, made for the time in `at`.
    pub(crate) id: Option<MessageId>,
    pub(crate) role: Role,
    pub(crate) content: String,
    pub(crate) parts: Option<Value>,
    pub(crate) tool_calls: Option<Value>,
    pub(crate) tool_call_id: Option<String>,
    pub(crate) parent: Parent,
    pub(crate) sender: Option<UserId>,
    pub(crate) turn: Option<TurnId>,
    pub(crate) model: Option<String>,
    pub(crate) prompt_tokens: Option<i64>,
    pub(crate) completion_tokens: Option<i64>,
    pub(crate) llm_call: Option<LlmCallId>,
    pub(crate) finish_reason: Option<FinishReason>,
    pub(crate) metadata: Value,
    /// When it was written; `None` for now.
    pub(crate) at: Option<DateTime<Utc>>,
}

impl NewMessage {
    /// A text message.
    pub(crate) fn text(role: Role, content: impl Into<String>) -> Self {
        Self {
            id: None,
            role,
            content: content.into(),
            parts: None,
            tool_calls: None,
            tool_call_id: None,
            parent: Parent::Head,
            sender: None,
            turn: None,
            model: None,
            prompt_tokens: None,
            completion_tokens: None,
            llm_call: None,
            finish_reason: None,
            metadata: json!({}),
            at: None,
        }
    }
}

/// Appends messages to a session, each after the previous one unless it names a parent, and moves the
/// session's head to the last one. `session` must be locked in this transaction; the updated row is returned.
/// Announces the change to other processes; after the commit, notify this one with
/// [`Messages::notify_changed`](crate::Conversation::notify_changed).
pub(crate) async fn append<R>(
    tx: &Tx<R>,
    clock: &Clock,
    session: sessions::Model,
    messages: Vec<NewMessage>,
) -> Result<(sessions::Model, Vec<Model>)> {
    let mut written = Vec::with_capacity(messages.len());
    let (mut number, mut head) = (session.message_count, session.head_id);
    let (mut first, mut last) = (session.first_message_at, session.last_message_at);
    for new in messages {
        let at = new.at.unwrap_or_else(|| clock.now());
        number += 1;
        let parent = match new.parent {
            Parent::Head => head,
            Parent::None => None,
            Parent::Message(id) => Some(id),
        };
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(new.id.unwrap_or_else(|| MessageId(clock.id_at(at)))),
            session_id: Set(session.id),
            turn_id: Set(new.turn),
            parent_id: Set(parent),
            sender_id: Set(new.sender),
            sequence_number: Set(number),
            role: Set(new.role),
            content: Set(new.content),
            parts: Set(new.parts),
            tool_calls: Set(new.tool_calls),
            tool_call_id: Set(new.tool_call_id),
            model: Set(new.model),
            prompt_tokens: Set(new.prompt_tokens),
            completion_tokens: Set(new.completion_tokens),
            llm_call_id: Set(new.llm_call),
            finish_reason: Set(new.finish_reason),
            metadata: Set(new.metadata),
            deleted_at: Set(None),
            created_at: Set(at),
            updated_at: Set(at),
        };
        let row = tx.insert(row).await?;
        head = Some(row.id);
        first = Some(first.map_or(at, |first| first.min(at)));
        last = Some(last.map_or(at, |last| last.max(at)));
        written.push(row);
    }
    let activity = last.map_or(session.last_activity, |last| last.max(session.last_activity));
    let mut row = session.into_active_model();
    row.message_count = Set(number);
    row.head_id = Set(head);
    row.first_message_at = Set(first);
    row.last_message_at = Set(last);
    row.last_activity = Set(activity);
    let session = tx.update(row).await?;
    // One notice for all caches in all processes: the session, its newest page, its owner's list.
    notices::announce(tx, clock, super::entity::TOPIC, session.id.0, session.user_id).await?;
    Ok((session, written))
}
