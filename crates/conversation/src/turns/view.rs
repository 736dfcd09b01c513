//! Representation of turns in the API.

use chrono::{DateTime, Utc};
use loam_kernel::{ChatSessionId, LlmCallId, MessageId, Result, TurnId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::entity::{Model, TurnState};
use super::event::ToolCall;
use super::service::{pending_tool_calls, question_of};
use crate::messages::entity as messages;
use crate::messages::routes::MessageView;
use crate::messages::schemas::MessageContent;

/// A question and its answer.
#[derive(Serialize, ToSchema)]
pub struct TurnView {
    id: TurnId,
    session_id: ChatSessionId,
    /// ID of the turn that it follows.
    parent_turn_id: Option<TurnId>,
    /// ID of the message that it follows.
    parent_id: Option<MessageId>,
    /// Message ID of the question; null until the turn starts.
    user_message_id: Option<MessageId>,
    /// Message ID of the answer; partial if the turn did not complete.
    assistant_message_id: Option<MessageId>,
    state: TurnState,
    /// Route or `provider/model` that answers.
    model: Option<String>,
    /// ID of the last model call.
    llm_call_id: Option<LlmCallId>,
    /// Error.
    error: Option<String>,
    /// The question, in state `queued`.
    #[schema(value_type = Option<MessageContent>)]
    question: Option<Value>,
    /// Tool calls that the client has to execute before `expires_at`, in state `requires_action`.
    tool_calls: Vec<ToolCall>,
    /// Until when tool results are accepted.
    expires_at: Option<DateTime<Utc>>,
    /// When its events were deleted, so that it can't be streamed again; null if they were not.
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
    /// The answer; partial if the turn did not complete.
    message: Option<MessageView>,
}

impl TurnView {
    pub(super) fn new(row: Model) -> Result<Self> {
        let tool_calls = pending_tool_calls(&row)?;
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
