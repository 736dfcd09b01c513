//! What clients see of a turn.

use chrono::{DateTime, Utc};
use loam_kernel::{ChatSessionId, LlmCallId, MessageId, Result, TurnId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::entity::{Model, TurnState};
use super::event::ToolCall;
use super::service::{question_of, wanted};
use crate::messages::entity as messages;
use crate::messages::routes::MessageView;

/// A question and its answer.
#[derive(Serialize, ToSchema)]
pub struct TurnView {
    id: TurnId,
    session_id: ChatSessionId,
    /// The turn that it goes on from.
    parent_turn_id: Option<TurnId>,
    /// The message that it goes on from.
    parent_id: Option<MessageId>,
    /// The question; none before it is the turn's turn.
    user_message_id: Option<MessageId>,
    /// The answer, or as much as came.
    assistant_message_id: Option<MessageId>,
    state: TurnState,
    /// The route or `provider/model` that was asked.
    model: Option<String>,
    /// The last model call of it.
    llm_call_id: Option<LlmCallId>,
    /// What went wrong.
    error: Option<String>,
    /// Of state `queued`: what is asked.
    #[schema(value_type = Option<Object>)]
    question: Option<Value>,
    /// Of state `requires_action`: what the client has to use, until `expires_at`.
    tool_calls: Vec<ToolCall>,
    /// Until when the results of tools are taken.
    expires_at: Option<DateTime<Utc>>,
    /// When its stream was deleted, and can be followed again no more; null while it is there.
    events_deleted_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A turn with its answer.
#[derive(Serialize, ToSchema)]
pub struct TurnWithAnswer {
    #[serde(flatten)]
    turn: TurnView,
    /// The answer, or as much as came.
    message: Option<MessageView>,
}

impl TurnView {
    pub(super) fn new(row: Model) -> Result<Self> {
        let tool_calls = wanted(&row)?;
        Ok(Self {
            question: if row.state == TurnState::Queued { question_of(&row) } else { None },
            expires_at: row.lease_until.filter(|_| row.state == TurnState::RequiresAction),
            tool_calls,
            id: row.id,
            session_id: row.session_id,
            parent_turn_id: row.parent_turn_id,
            parent_id: row.parent_id,
            user_message_id: row.user_message_id,
            assistant_message_id: row.assistant_message_id,
            state: row.state,
            model: row.model,
            llm_call_id: row.llm_call_id,
            error: row.error,
            events_deleted_at: row.events_deleted_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl TurnWithAnswer {
    pub(super) fn new((turn, answer): (Model, Option<messages::Model>)) -> Result<Self> {
        Ok(Self { turn: TurnView::new(turn)?, message: answer.map(MessageView::from) })
    }
}
