//! The events of a turn.

use loam_kernel::{ChatSessionId, Error, MessageId, TurnId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::entity::TurnState;
use crate::messages::entity::{FinishReason, Role};

/// An event. Events are numbered from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TurnEvent {
    /// The turn started, and its question is stored.
    Started { turn: TurnId, session: ChatSessionId, user_message: Option<MessageId>, model: String },
    /// Output text.
    Delta(String),
    /// Reasoning text.
    Reasoning(String),
    /// The model requested tool calls.
    ToolCalls(Vec<ToolCall>),
    /// A tool call finished.
    ToolResult { call_id: String, content: String, is_error: bool },
    /// The client has to execute tool calls and send their results.
    RequiresAction(Vec<ToolCall>),
    /// A message of the answer was stored.
    Message {
        id: MessageId,
        number: i64,
        role: Role,
        finish_reason: Option<FinishReason>,
        tokens: Option<Tokens>,
    },
    /// The last event.
    Ended {
        state: TurnState,
        finish_reason: Option<FinishReason>,
        tokens: Tokens,
        failure: Option<TurnFailure>,
    },
}

/// A tool call requested by the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolCall {
    /// ID assigned by the model; send it back with the result.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// Arguments as JSON, as the model wrote them.
    pub arguments: String,
}

impl ToolCall {
    /// In OpenAI's format.
    pub(crate) fn wire(&self) -> Value {
        json!({"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}})
    }
}

/// Token usage of model calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Completion tokens.
    pub completion_tokens: u64,
}

impl Tokens {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
        }
    }
}

/// Why a turn failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TurnFailure {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl From<&Error> for TurnFailure {
    fn from(error: &Error) -> Self {
        Self { code: error.code().to_owned(), message: error.message().to_owned() }
    }
}

impl TurnEvent {
    /// Whether a stream ends after this event, if it is the last one.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::RequiresAction(_) | Self::Ended { .. })
    }
}
