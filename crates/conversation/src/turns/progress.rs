//! The progress of a turn, computed from its events. Used by the task that runs the turn, and by the recovery
//! of an abandoned one.

use loam_kernel::MessageId;

use super::event::{Tokens, ToolCall, TurnEvent};
use crate::messages::entity::{FinishReason, Role};

/// The progress of a turn.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// The last message; the next one follows it.
    pub(crate) last: Option<MessageId>,
    /// The last assistant message.
    pub(crate) answer: Option<MessageId>,
    /// The finish reason of that message.
    pub(crate) finish: Option<FinishReason>,
    /// Output text since the last message.
    pub(crate) text: String,
    /// Number of times that the model requested tool calls.
    pub(crate) rounds: usize,
    /// Token usage of the model calls, as far as reported.
    pub(crate) tokens: Tokens,
    /// Tool calls without a result.
    pub(crate) open_calls: Vec<ToolCall>,
}

impl Progress {
    /// Computes the progress from all events.
    pub(crate) fn of(events: &[TurnEvent]) -> Self {
        let mut now = Self::default();
        for event in events {
            match event {
                TurnEvent::Started { user_message, .. } => now.last = *user_message,
                TurnEvent::Delta(text) => now.text.push_str(text),
                TurnEvent::ToolCalls(calls) => {
                    now.rounds += 1;
                    now.open_calls.clone_from(calls);
                }
                TurnEvent::ToolResult { call_id, .. } => now.open_calls.retain(|call| call.id != *call_id),
                TurnEvent::Message { id, role, finish_reason, tokens, .. } => {
                    now.last = Some(*id);
                    if *role == Role::Assistant {
                        now.answer = Some(*id);
                        now.finish = *finish_reason;
                        now.text.clear();
                        now.tokens = now.tokens.plus(tokens.unwrap_or_default());
                    }
                }
                TurnEvent::Reasoning(_) | TurnEvent::RequiresAction(_) | TurnEvent::Ended { .. } => {}
            }
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn message(id: u128, role: Role, tokens: u64) -> TurnEvent {
        let tokens = Some(Tokens { prompt_tokens: tokens, completion_tokens: 1 });
        TurnEvent::Message { id: Uuid::from_u128(id).into(), number: 1, role, finish_reason: None, tokens }
    }

    #[test]
    fn progress_separates_stored_messages_from_new_output() {
        let call = |id: &str| ToolCall { id: id.to_owned(), name: "f".to_owned(), arguments: String::new() };
        let result =
            TurnEvent::ToolResult { call_id: "a".to_owned(), content: String::new(), is_error: false };
        let id = |id: u128| Some(MessageId(Uuid::from_u128(id)));
        let events = [
            TurnEvent::Started {
                turn: Uuid::nil().into(),
                session: Uuid::nil().into(),
                user_message: id(1),
                model: String::new(),
            },
            TurnEvent::Delta("let me ".to_owned()),
            TurnEvent::Delta("see".to_owned()),
            TurnEvent::ToolCalls(vec![call("a"), call("b")]),
            message(2, Role::Assistant, 10),
            result,
            message(3, Role::Tool, 0),
            TurnEvent::Delta("it is".to_owned()),
        ];
        let started = Progress::of(&events[..3]);
        assert_eq!((started.last, started.text.as_str(), started.rounds), (id(1), "let me see", 0));
        let now = Progress::of(&events);
        assert_eq!((now.last, now.answer, now.text.as_str(), now.rounds), (id(3), id(2), "it is", 1));
        assert_eq!(now.open_calls, [call("b")]);
        assert_eq!(now.tokens, Tokens { prompt_tokens: 10, completion_tokens: 1 });
    }
}
