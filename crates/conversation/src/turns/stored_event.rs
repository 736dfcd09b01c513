//! The stored form of an event. Fields and variants are identified by their order, so each change needs a new version of
//! the formats that contain events.

use std::borrow::Cow;

use loam_kernel::{ChatSessionId, MessageId, TurnId};
use loam_platform::stored_enum;
use serde::{Deserialize, Serialize};

use super::entity::TurnState;
use super::event::{Tokens, ToolCall, TurnEvent, TurnFailure};
use crate::messages::entity::{FinishReason, Role};

stored_enum! {
    /// The role of a message.
    pub(super) StoredRole of Role { System, User, Assistant, Tool }
}

stored_enum! {
    /// Why a message ended.
    pub(super) StoredFinishReason of FinishReason { Stop, Length, ToolCalls, ContentFilter, Stopped, Interrupted, Failed }
}

stored_enum! {
    /// The state of a turn.
    pub(super) StoredTurnState of TurnState { Queued, Running, RequiresAction, Completed, Stopped, Interrupted, Failed }
}

#[derive(Serialize, Deserialize)]
pub(super) enum StoredEvent<'a> {
    Started {
        turn: TurnId,
        session: ChatSessionId,
        user_message: Option<MessageId>,
        #[serde(borrow)]
        model: Cow<'a, str>,
    },
    Delta(#[serde(borrow)] Cow<'a, str>),
    Reasoning(#[serde(borrow)] Cow<'a, str>),
    ToolCalls(#[serde(borrow)] Vec<StoredToolCall<'a>>),
    ToolResult {
        #[serde(borrow)]
        call_id: Cow<'a, str>,
        #[serde(borrow)]
        content: Cow<'a, str>,
        is_error: bool,
    },
    RequiresAction(#[serde(borrow)] Vec<StoredToolCall<'a>>),
    Message {
        id: MessageId,
        number: i64,
        role: StoredRole,
        finish_reason: Option<StoredFinishReason>,
        tokens: Option<StoredTokens>,
    },
    Ended {
        state: StoredTurnState,
        finish_reason: Option<StoredFinishReason>,
        tokens: StoredTokens,
        #[serde(borrow)]
        failure: Option<StoredFailure<'a>>,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredToolCall<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Cow<'a, str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredTokens {
    prompt_tokens: u64,
    completion_tokens: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredFailure<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

impl<'a> From<&'a TurnEvent> for StoredEvent<'a> {
    fn from(event: &'a TurnEvent) -> Self {
        let text = |text: &'a String| Cow::Borrowed(text.as_str());
        let calls = |calls: &'a [ToolCall]| calls.iter().map(StoredToolCall::from).collect();
        match event {
            TurnEvent::Started { turn, session, user_message, model } => Self::Started {
                turn: *turn,
                session: *session,
                user_message: *user_message,
                model: text(model),
            },
            TurnEvent::Delta(delta) => Self::Delta(text(delta)),
            TurnEvent::Reasoning(delta) => Self::Reasoning(text(delta)),
            TurnEvent::ToolCalls(tool_calls) => Self::ToolCalls(calls(tool_calls)),
            TurnEvent::ToolResult { call_id, content, is_error } => {
                Self::ToolResult { call_id: text(call_id), content: text(content), is_error: *is_error }
            }
            TurnEvent::RequiresAction(tool_calls) => Self::RequiresAction(calls(tool_calls)),
            TurnEvent::Message { id, number, role, finish_reason, tokens } => Self::Message {
                id: *id,
                number: *number,
                role: (*role).into(),
                finish_reason: finish_reason.map(Into::into),
                tokens: tokens.map(Into::into),
            },
            TurnEvent::Ended { state, finish_reason, tokens, failure } => Self::Ended {
                state: (*state).into(),
                finish_reason: finish_reason.map(Into::into),
                tokens: (*tokens).into(),
                failure: failure.as_ref().map(|TurnFailure { code, message }| StoredFailure {
                    code: text(code),
                    message: text(message),
                }),
            },
        }
    }
}

impl From<StoredEvent<'_>> for TurnEvent {
    fn from(stored: StoredEvent<'_>) -> Self {
        let calls = |calls: Vec<StoredToolCall<'_>>| calls.into_iter().map(ToolCall::from).collect();
        match stored {
            StoredEvent::Started { turn, session, user_message, model } => {
                Self::Started { turn, session, user_message, model: model.into_owned() }
            }
            StoredEvent::Delta(delta) => Self::Delta(delta.into_owned()),
            StoredEvent::Reasoning(delta) => Self::Reasoning(delta.into_owned()),
            StoredEvent::ToolCalls(tool_calls) => Self::ToolCalls(calls(tool_calls)),
            StoredEvent::ToolResult { call_id, content, is_error } => {
                Self::ToolResult { call_id: call_id.into_owned(), content: content.into_owned(), is_error }
            }
            StoredEvent::RequiresAction(tool_calls) => Self::RequiresAction(calls(tool_calls)),
            StoredEvent::Message { id, number, role, finish_reason, tokens } => Self::Message {
                id,
                number,
                role: role.into(),
                finish_reason: finish_reason.map(Into::into),
                tokens: tokens.map(Into::into),
            },
            StoredEvent::Ended { state, finish_reason, tokens, failure } => Self::Ended {
                state: state.into(),
                finish_reason: finish_reason.map(Into::into),
                tokens: tokens.into(),
                failure: failure.map(|StoredFailure { code, message }| TurnFailure {
                    code: code.into_owned(),
                    message: message.into_owned(),
                }),
            },
        }
    }
}

impl<'a> From<&'a ToolCall> for StoredToolCall<'a> {
    fn from(call: &'a ToolCall) -> Self {
        let ToolCall { id, name, arguments } = call;
        Self { id: Cow::Borrowed(id), name: Cow::Borrowed(name), arguments: Cow::Borrowed(arguments) }
    }
}

impl From<StoredToolCall<'_>> for ToolCall {
    fn from(stored: StoredToolCall<'_>) -> Self {
        let StoredToolCall { id, name, arguments } = stored;
        Self { id: id.into_owned(), name: name.into_owned(), arguments: arguments.into_owned() }
    }
}

impl From<Tokens> for StoredTokens {
    fn from(Tokens { prompt_tokens, completion_tokens }: Tokens) -> Self {
        Self { prompt_tokens, completion_tokens }
    }
}

impl From<StoredTokens> for Tokens {
    fn from(StoredTokens { prompt_tokens, completion_tokens }: StoredTokens) -> Self {
        Self { prompt_tokens, completion_tokens }
    }
}
