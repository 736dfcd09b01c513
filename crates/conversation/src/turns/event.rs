//! What a turn's stream says, and how it says it.
//!
//! The bytes of an event depend on nothing but the event and its number, so whoever attaches again, from any number, at any
//! server, before or after the end, gets the bytes that were sent before.

use loam_kernel::{ChatSessionId, Error, MessageId, Result, TurnId};
use loam_platform::pack::{pack, unpack};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::entity::TurnState;
use crate::messages::entity::{FinishReason, Role};

/// An event. They are numbered from 1. Kept in a journal and in the database by their place in this list, so new kinds and
/// fields go to the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum TurnEvent {
    /// It is its turn: the question is stored.
    Started { turn: TurnId, session: ChatSessionId, user_message: Option<MessageId>, model: String },
    /// The model says more.
    Delta(String),
    /// The model thinks on.
    Reasoning(String),
    /// The model wants tools used.
    ToolCalls(Vec<ToolCall>),
    /// A tool was used.
    ToolResult { call_id: String, content: String, is_error: bool },
    /// The client has to use tools; nothing comes before it sends their results.
    RequiresAction(Vec<ToolCall>),
    /// A message of the answer is stored.
    Message {
        id: MessageId,
        number: i64,
        role: Role,
        finish_reason: Option<FinishReason>,
        tokens: Option<Tokens>,
    },
    /// Nothing more comes.
    Ended { state: TurnState, finish_reason: Option<FinishReason>, tokens: Tokens, fault: Option<Fault> },
}

/// A use of a tool that the model wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolCall {
    /// The model's id of it, to be sent back with the result.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is to be used with: JSON, as the model wrote it.
    pub arguments: String,
}

impl ToolCall {
    /// In OpenAI's words.
    pub(crate) fn wire(&self) -> Value {
        json!({"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}})
    }
}

/// What model calls took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
}

impl Tokens {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
        }
    }

    fn wire(self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        })
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        Self { code: error.code().to_owned(), message: error.message().to_owned() }
    }
}

impl TurnEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Delta(_) => "delta",
            Self::Reasoning(_) => "reasoning",
            Self::ToolCalls(_) => "tool_calls",
            Self::ToolResult { .. } => "tool_result",
            Self::RequiresAction(_) => "requires_action",
            Self::Message { .. } => "message",
            Self::Ended { .. } => "ended",
        }
    }

    fn data(&self) -> Value {
        let calls = |calls: &[ToolCall]| calls.iter().map(ToolCall::wire).collect::<Vec<_>>();
        match self {
            Self::Started { turn, session, user_message, model } => json!({
                "turn_id": turn, "session_id": session, "user_message_id": user_message, "model": model,
            }),
            Self::Delta(text) | Self::Reasoning(text) => json!({ "text": text }),
            Self::ToolCalls(wanted) | Self::RequiresAction(wanted) => json!({ "tool_calls": calls(wanted) }),
            Self::ToolResult { call_id, content, is_error } => {
                json!({ "tool_call_id": call_id, "content": content, "is_error": is_error })
            }
            Self::Message { id, number, role, finish_reason, tokens } => json!({
                "message_id": id, "sequence_number": number, "role": role, "finish_reason": finish_reason,
                "usage": tokens.map(Tokens::wire),
            }),
            Self::Ended { state, finish_reason, tokens, fault } => json!({
                "state": state, "finish_reason": finish_reason, "usage": tokens.wire(),
                "error": fault.as_ref().map(|fault| json!({ "code": fault.code, "message": fault.message })),
            }),
        }
    }

    /// The event with its number, as a client gets it.
    pub(crate) fn render(&self, number: usize, out: &mut String) {
        use std::fmt::Write;
        // writing to a text can't fail
        _ = write!(out, "id: {number}\nevent: {}\ndata: {}\n\n", self.name(), self.data());
    }

    /// Whether a stream ends behind it, if nothing has come after it.
    pub(crate) fn is_rest(&self) -> bool {
        matches!(self, Self::RequiresAction(_) | Self::Ended { .. })
    }
}

/// Events as they are kept in the database.
pub(crate) fn pack_events(events: &[TurnEvent]) -> Result<Vec<u8>> {
    let plain = postcard::to_allocvec(events).map_err(Error::internal)?;
    let bytes = plain.len();
    Ok(pack(&[plain], false, bytes))
}

/// Reads them back.
pub(crate) fn unpack_events(packed: &[u8]) -> Result<Vec<TurnEvent>> {
    match unpack(packed) {
        Some(opened) => postcard::from_bytes(&opened.body).map_err(Error::internal),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_is_rendered_from_itself_and_its_number_alone() {
        let mut out = String::new();
        TurnEvent::Delta("a\nb \"c\" 沃".to_owned()).render(7, &mut out);
        assert_eq!(out, "id: 7\nevent: delta\ndata: {\"text\":\"a\\nb \\\"c\\\" 沃\"}\n\n");
    }

    #[test]
    fn events_come_back_as_they_were() {
        let id = Uuid::from_u128(7);
        let call = ToolCall { id: "c".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
        let events = vec![
            TurnEvent::Started {
                turn: id.into(),
                session: id.into(),
                user_message: Some(id.into()),
                model: "m/n".to_owned(),
            },
            TurnEvent::Reasoning("hm".to_owned()),
            TurnEvent::Delta("word ".repeat(2_000)),
            TurnEvent::ToolCalls(vec![call.clone()]),
            TurnEvent::ToolResult { call_id: "c".to_owned(), content: "1".to_owned(), is_error: false },
            TurnEvent::RequiresAction(vec![call]),
            TurnEvent::Message {
                id: id.into(),
                number: 2,
                role: Role::Assistant,
                finish_reason: Some(FinishReason::Stop),
                tokens: None,
            },
            TurnEvent::Ended {
                state: TurnState::Failed,
                finish_reason: None,
                tokens: Tokens::default(),
                fault: Some(Fault { code: "c".to_owned(), message: "m".to_owned() }),
            },
        ];
        let packed = pack_events(&events).expect("packed");
        assert!(packed.len() < 2_000);
        assert_eq!(unpack_events(&packed).expect("events"), events);
        assert_eq!(unpack_events(&[]).expect("none"), []);
    }
}
