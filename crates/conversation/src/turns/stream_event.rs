//! The events of a turn's stream as clients receive them, and how they are rendered.
//!
//! The bytes of a rendered event depend only on the event and its number. So a client that reconnects, from
//! any event, to any node, before or after the end, gets the same bytes.

use loam_kernel::{ChatSessionId, MessageId, TurnId};
use serde::Serialize;
use utoipa::ToSchema;

use super::entity::TurnState;
use super::event::{Tokens, ToolCall, TurnEvent};
use crate::messages::entity::{FinishReason, Role};
use crate::messages::schemas::{CalledFunction, ChatToolCall};
use crate::tools::ToolKind;

/// A server-sent event of a turn: its name is in the line `event`, its data as JSON in the line `data`.
///
/// The line `id` numbers the events of a turn from 1: send the number of the last one as `after` or `Last-Event-ID` to continue
/// after it.
#[derive(Serialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub(crate) enum TurnStreamEvent {
    /// The turn started, and its question is stored.
    Started(TurnStarted),
    /// Output text.
    Delta(TurnText),
    /// Reasoning text.
    Reasoning(TurnText),
    /// The model requested tool calls.
    ToolCalls(TurnToolCalls),
    /// A tool call finished.
    ToolResult(TurnToolResult),
    /// The client has to execute tool calls and send their results.
    RequiresAction(TurnToolCalls),
    /// A message of the answer was stored.
    Message(TurnMessage),
    /// The last event.
    Ended(TurnEnded),
}

/// What a turn started with.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnStarted {
    turn_id: TurnId,
    session_id: ChatSessionId,
    /// Message ID of the question.
    user_message_id: Option<MessageId>,
    /// Route or `provider/model` that answers.
    model: String,
}

/// A piece of text.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnText {
    /// Append it to the text before.
    text: String,
}

/// Tool calls requested by the model.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnToolCalls {
    tool_calls: Vec<ChatToolCall>,
}

/// Result of a tool call.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnToolResult {
    tool_call_id: String,
    /// Content for the model.
    content: String,
    /// Whether the tool failed.
    is_error: bool,
}

/// A stored message of the answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnMessage {
    message_id: MessageId,
    /// Position in the session.
    sequence_number: i64,
    role: Role,
    finish_reason: Option<FinishReason>,
    usage: Option<TurnUsage>,
}

/// How a turn ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnEnded {
    state: TurnState,
    finish_reason: Option<FinishReason>,
    /// Usage of all model calls of the turn.
    usage: TurnUsage,
    /// Why it failed; null if it did not.
    error: Option<TurnError>,
}

/// Token usage.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

/// Why a turn failed.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnError {
    /// Stable code for programs.
    code: String,
    /// Message for people.
    message: String,
}

impl From<Tokens> for TurnUsage {
    fn from(tokens: Tokens) -> Self {
        let Tokens { prompt_tokens, completion_tokens } = tokens;
        Self { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
    }
}

impl From<&ToolCall> for ChatToolCall {
    fn from(call: &ToolCall) -> Self {
        let ToolCall { id, name, arguments } = call.clone();
        Self { id, kind: ToolKind::Function, function: CalledFunction { name, arguments } }
    }
}

impl From<&[ToolCall]> for TurnToolCalls {
    fn from(calls: &[ToolCall]) -> Self {
        Self { tool_calls: calls.iter().map(ChatToolCall::from).collect() }
    }
}

impl From<&TurnEvent> for TurnStreamEvent {
    fn from(event: &TurnEvent) -> Self {
        match event {
            TurnEvent::Started { turn, session, user_message, model } => Self::Started(TurnStarted {
                turn_id: *turn,
                session_id: *session,
                user_message_id: *user_message,
                model: model.clone(),
            }),
            TurnEvent::Delta(text) => Self::Delta(TurnText { text: text.clone() }),
            TurnEvent::Reasoning(text) => Self::Reasoning(TurnText { text: text.clone() }),
            TurnEvent::ToolCalls(calls) => Self::ToolCalls(calls.as_slice().into()),
            TurnEvent::RequiresAction(calls) => Self::RequiresAction(calls.as_slice().into()),
            TurnEvent::ToolResult { call_id, content, is_error } => Self::ToolResult(TurnToolResult {
                tool_call_id: call_id.clone(),
                content: content.clone(),
                is_error: *is_error,
            }),
            TurnEvent::Message { id, number, role, finish_reason, tokens } => Self::Message(TurnMessage {
                message_id: *id,
                sequence_number: *number,
                role: *role,
                finish_reason: *finish_reason,
                usage: tokens.map(TurnUsage::from),
            }),
            TurnEvent::Ended { state, finish_reason, tokens, failure } => Self::Ended(TurnEnded {
                state: *state,
                finish_reason: *finish_reason,
                usage: (*tokens).into(),
                error: failure.as_ref().map(|failure| TurnError {
                    code: failure.code.clone(),
                    message: failure.message.clone(),
                }),
            }),
        }
    }
}

impl TurnEvent {
    /// Renders the event with its number as a server-sent event.
    pub(crate) fn render(&self, number: usize, out: &mut String) {
        use std::fmt::Write;
        // These types have no maps, and writing to a string can't fail.
        let mut event = serde_json::to_value(TurnStreamEvent::from(self)).unwrap_or_default();
        // the bytes of an event never change, and the first version sorted its fields
        event.sort_all_objects();
        let name = event["event"].as_str().unwrap_or_default();
        _ = write!(out, "id: {number}\nevent: {name}\ndata: {}\n\n", event["data"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendering_depends_only_on_the_event_and_its_number() {
        let mut out = String::new();
        TurnEvent::Delta("a\nb \"c\" 沃".to_owned()).render(7, &mut out);
        assert_eq!(out, "id: 7\nevent: delta\ndata: {\"text\":\"a\\nb \\\"c\\\" 沃\"}\n\n");
    }
}
