//! Writes a turn's progress to the database: each step is one transaction, which keeps messages, state and
//! events consistent.

use chrono::{DateTime, Utc};
use loam_db::{OrderedJson, Tx};
use loam_kernel::{ChatSessionId, Clock, Error, LlmCallId, Result, TurnId};
use sea_orm::{IntoActiveModel, Set};
use serde_json::Value;

use super::entity::{Entity, Model, TurnState};
use super::event::{Tokens, ToolCall, TurnEvent, TurnFailure};
use super::progress::{Progress, TurnEvents};
use super::stored::{pack_events, unpack_events};
use crate::chat_sessions::entity as sessions;
use crate::messages::append::{NewMessage, Parent, append};
use crate::messages::entity::{FinishReason, Role};
use crate::tools::ToolOutcome;

/// How a turn ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) state: TurnState,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) failure: Option<TurnFailure>,
    /// Usage of the last model call.
    pub(crate) tokens: Option<Tokens>,
}

impl End {
    fn partial(state: TurnState, finish: FinishReason) -> Self {
        Self { state, finish: Some(finish), failure: None, tokens: None }
    }

    /// The answer is complete.
    pub(crate) fn completed(finish: FinishReason, tokens: Option<Tokens>) -> Self {
        Self { tokens, ..Self::partial(TurnState::Completed, finish) }
    }

    /// It was stopped.
    pub(crate) fn stopped() -> Self {
        Self::partial(TurnState::Stopped, FinishReason::Stopped)
    }

    /// The server crashed or is shutting down.
    pub(crate) fn interrupted() -> Self {
        Self::partial(TurnState::Interrupted, FinishReason::Interrupted)
    }

    /// It failed.
    pub(crate) fn failed(error: &Error) -> Self {
        Self { failure: Some(error.into()), ..Self::partial(TurnState::Failed, FinishReason::Failed) }
    }
}

/// A model's tool calls, with its usage.
#[derive(Clone, Debug)]
pub(crate) struct RequestedTools {
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) tokens: Option<Tokens>,
}

/// A turn being written, with its session locked.
pub(crate) struct Writer<'t, R> {
    tx: &'t Tx<R>,
    clock: &'t Clock,
    pub(crate) session: sessions::Model,
    pub(crate) turn: Model,
    pub(crate) events: TurnEvents,
}

impl<'t, R> Writer<'t, R> {
    /// Locks session and turn. `None` if the session was deleted or the turn has ended.
    pub(crate) async fn open(
        tx: &'t Tx<R>,
        clock: &'t Clock,
        session: ChatSessionId,
        turn: TurnId,
    ) -> Result<Option<Self>> {
        let Some(session) = tx.get_locked::<sessions::Entity>(session).await? else { return Ok(None) };
        let Some(turn) = tx.get_locked::<Entity>(turn).await? else { return Ok(None) };
        if turn.ended_at.is_some() || turn.session_id != session.id {
            return Ok(None);
        }
        let events = turn.events.as_deref().map(unpack_events).transpose()?.unwrap_or_default();
        Ok(Some(Self { tx, clock, session, turn, events: events.into() }))
    }

    async fn append(&mut self, message: NewMessage, tokens: Option<Tokens>) -> Result<()> {
        let session = self.session.clone();
        let (session, written) = append(self.tx, self.clock, session, vec![message]).await?;
        self.session = session;
        for row in written {
            self.events.push(TurnEvent::Message {
                id: row.id,
                number: row.sequence_number,
                role: row.role,
                finish_reason: row.finish_reason,
                tokens,
            });
        }
        Ok(())
    }

    fn message(&self, role: Role, content: String, last: &Progress) -> NewMessage {
        let mut message = NewMessage::text(role, content);
        message.turn = Some(self.turn.id);
        message.parent = last.last.map_or(Parent::Head, Parent::Message);
        message
    }

    async fn answer(
        &mut self,
        finish: Option<FinishReason>,
        calls: &[ToolCall],
        tokens: Option<Tokens>,
        call: Option<LlmCallId>,
    ) -> Result<()> {
        let now = self.events.progress();
        let mut message = self.message(Role::Assistant, now.text.clone(), now);
        if !calls.is_empty() {
            self.events.push(TurnEvent::ToolCalls(calls.to_vec()));
            message.tool_calls = Some(calls.iter().map(ToolCall::wire).collect());
        }
        let count = |count: fn(Tokens) -> u64| tokens.and_then(|tokens| i64::try_from(count(tokens)).ok());
        message.prompt_tokens = count(|tokens| tokens.prompt_tokens);
        message.completion_tokens = count(|tokens| tokens.completion_tokens);
        message.model.clone_from(&self.turn.model);
        message.llm_call = call;
        message.finish_reason = finish;
        self.append(message, tokens).await
    }

    /// Stores a message with tool calls.
    pub(crate) async fn tool_calls(
        &mut self,
        requested: &RequestedTools,
        call: Option<LlmCallId>,
    ) -> Result<()> {
        self.answer(Some(FinishReason::ToolCalls), &requested.calls, requested.tokens, call).await
    }

    /// Stores a tool result.
    pub(crate) async fn tool_result(&mut self, call_id: &str, outcome: &ToolOutcome) -> Result<()> {
        let ToolOutcome { content, is_error } = outcome.clone();
        let mut message = self.message(Role::Tool, content.clone(), self.events.progress());
        message.tool_call_id = Some(call_id.to_owned());
        if is_error {
            message.metadata = serde_json::json!({ "is_error": true });
        }
        self.events.push(TurnEvent::ToolResult { call_id: call_id.to_owned(), content, is_error });
        self.append(message, None).await
    }

    /// Ends the turn, with the output so far as a message.
    pub(crate) async fn end(mut self, end: &End, call: Option<LlmCallId>) -> Result<Vec<TurnEvent>> {
        let has_text = !self.events.progress().text.is_empty();
        if has_text || end.state == TurnState::Completed {
            self.answer(end.finish, &[], end.tokens, call).await?;
        }
        self.end_without_message(end, call).await
    }

    /// Ends the turn without storing a message.
    pub(crate) async fn end_without_message(
        mut self,
        end: &End,
        call: Option<LlmCallId>,
    ) -> Result<Vec<TurnEvent>> {
        let tokens = self.events.progress().tokens;
        self.events.push(TurnEvent::Ended {
            state: end.state,
            finish_reason: end.finish,
            tokens,
            failure: end.failure.clone(),
        });
        let ended_at = self.clock.now();
        let error = end.failure.as_ref().map(|failure| format!("{}: {}", failure.code, failure.message));
        self.write(end.state, call, None, Some(ended_at), error).await
    }

    /// Continues on this node until the lease expires; `None` for no expiry.
    pub(crate) async fn resume(
        self,
        call: Option<LlmCallId>,
        lease: Option<DateTime<Utc>>,
    ) -> Result<Vec<TurnEvent>> {
        self.write(TurnState::Running, call, lease, None, None).await
    }

    /// Waits for the client's tool results until this time.
    pub(crate) async fn wait_for_client(
        mut self,
        call: Option<LlmCallId>,
        until: DateTime<Utc>,
    ) -> Result<Vec<TurnEvent>> {
        let open = self.events.progress().open_calls.clone();
        self.events.push(TurnEvent::RequiresAction(open));
        self.write(TurnState::RequiresAction, call, Some(until), None, None).await
    }

    /// Keeps waiting for the remaining tool results.
    pub(crate) async fn keep_waiting(self) -> Result<Vec<TurnEvent>> {
        let until = self.turn.lease_until;
        self.write(TurnState::RequiresAction, None, until, None, None).await
    }

    async fn write(
        self,
        state: TurnState,
        call: Option<LlmCallId>,
        lease: Option<DateTime<Utc>>,
        ended: Option<DateTime<Utc>>,
        error: Option<String>,
    ) -> Result<Vec<TurnEvent>> {
        let answer = self.events.progress().answer;
        let mut row = self.turn.into_active_model();
        row.state = Set(state);
        row.events = Set(Some(pack_events(&self.events)?));
        answer.map(|answer| row.assistant_message_id = Set(Some(answer)));
        call.map(|call| row.llm_call_id = Set(Some(call)));
        row.lease_until = Set(lease);
        row.ended_at = Set(ended);
        row.error = Set(error);
        row.updated_at = Set(self.clock.now());
        if ended.is_some() {
            // The question is a stored message by now.
            row.input = Set(without_question(row.input.take(), row.user_message_id.as_ref().is_some()));
        }
        self.tx.update(row).await?;
        Ok(self.events.into_events())
    }
}

/// The request without a question that is stored as a message.
fn without_question(input: Option<OrderedJson>, is_message: bool) -> OrderedJson {
    let mut input = input.unwrap_or_default();
    if is_message && let Some(fields) = input.as_object_mut() {
        fields.insert("content".to_owned(), Value::Null);
    }
    input
}
