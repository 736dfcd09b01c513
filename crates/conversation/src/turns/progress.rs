//! The progress of a turn, computed from its events. Used by the task that runs the turn, and by the recovery
//! of an abandoned one.

use std::ops::Deref;

use loam_kernel::MessageId;

use super::event::{Tokens, ToolCall, TurnEvent};
use crate::messages::entity::{FinishReason, Role};

/// The progress of a turn.
#[derive(Clone, Debug, Default, PartialEq)]
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
    fn apply(&mut self, event: &TurnEvent) {
        match event {
            TurnEvent::Started { user_message, .. } => self.last = *user_message,
            TurnEvent::Delta(text) => self.text.push_str(text),
            TurnEvent::ToolCalls(calls) => {
                self.rounds += 1;
                self.open_calls.clone_from(calls);
            }
            TurnEvent::ToolResult { call_id, .. } => self.open_calls.retain(|call| call.id != *call_id),
            TurnEvent::Message { id, role, finish_reason, tokens, .. } => {
                self.last = Some(*id);
                if *role == Role::Assistant {
                    self.answer = Some(*id);
                    self.finish = *finish_reason;
                    self.text.clear();
                    self.tokens = self.tokens.plus(tokens.unwrap_or_default());
                }
            }
            TurnEvent::Reasoning(_) | TurnEvent::RequiresAction(_) | TurnEvent::Ended { .. } => {}
        }
    }
}

/// The events of a turn, with the progress that they add up to. Each event is applied once, when it is added.
#[derive(Clone, Debug, Default)]
pub(crate) struct TurnEvents {
    events: Vec<TurnEvent>,
    progress: Progress,
}

impl TurnEvents {
    /// The progress so far.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Adds an event.
    pub(crate) fn push(&mut self, event: TurnEvent) {
        self.progress.apply(&event);
        self.events.push(event);
    }

    /// Adds an event; text is appended to the last event if that has text of the same kind.
    pub(crate) fn push_merged(&mut self, event: TurnEvent) {
        self.progress.apply(&event);
        match (self.events.last_mut(), event) {
            (Some(TurnEvent::Delta(text)), TurnEvent::Delta(more)) => text.push_str(&more),
            (Some(TurnEvent::Reasoning(text)), TurnEvent::Reasoning(more)) => text.push_str(&more),
            (_, event) => self.events.push(event),
        }
    }

    /// The events alone.
    pub(crate) fn into_events(self) -> Vec<TurnEvent> {
        self.events
    }
}

impl From<Vec<TurnEvent>> for TurnEvents {
    fn from(events: Vec<TurnEvent>) -> Self {
        let mut progress = Progress::default();
        events.iter().for_each(|event| progress.apply(event));
        Self { events, progress }
    }
}

impl Deref for TurnEvents {
    type Target = [TurnEvent];

    fn deref(&self) -> &[TurnEvent] {
        &self.events
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
        let started = TurnEvents::from(events[..3].to_vec());
        let started = started.progress();
        assert_eq!((started.last, started.text.as_str(), started.rounds), (id(1), "let me see", 0));
        let mut all = TurnEvents::default();
        events.into_iter().for_each(|event| all.push_merged(event));
        assert_eq!(all.len(), 7, "text is merged");
        let now = all.progress();
        assert_eq!((now.last, now.answer, now.text.as_str(), now.rounds), (id(3), id(2), "it is", 1));
        assert_eq!(now.open_calls, [call("b")]);
        assert_eq!(now.tokens, Tokens { prompt_tokens: 10, completion_tokens: 1 });
    }
}
