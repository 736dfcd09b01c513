//! Generates a conversation: all its rows.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loam_conversation::chat_sessions::entity::SessionStatus;
use loam_conversation::messages::entity::{FinishReason, Role};
use loam_conversation::turns::entity::TurnState;
use loam_gateway::llm_calls::CallState;
use loam_gateway::llm_calls::{ImportedCall, Source};
use loam_kernel::{ChatSessionId, LlmCallId, MessageId, ProjectId, TurnId, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::catalog::{Catalog, ModelChoice};
use crate::ids::Ids;
use crate::model_profile::tokens;
use crate::plan::Turn;
use crate::topics::{self, Exchange, SlotValues, Topic, pick};
use crate::users::Person;

/// The rows of a conversation.
pub(crate) struct Conversation {
    pub(crate) session: Session,
    pub(crate) turns: Vec<TurnRow>,
    pub(crate) messages: Vec<Message>,
    pub(crate) calls: Vec<ImportedCall>,
    pub(crate) tool_calls: Vec<ToolCall>,
}

pub(crate) struct Session {
    pub(crate) id: ChatSessionId,
    pub(crate) user: UserId,
    pub(crate) project: Option<ProjectId>,
    pub(crate) title: String,
    pub(crate) provider: Uuid,
    pub(crate) model: &'static str,
    pub(crate) system_prompt: &'static str,
    pub(crate) status: SessionStatus,
    pub(crate) metadata: Value,
    pub(crate) created_at: DateTime<Utc>,
}

pub(crate) struct TurnRow {
    pub(crate) id: TurnId,
    pub(crate) parent_turn: Option<TurnId>,
    pub(crate) parent: Option<MessageId>,
    pub(crate) question: MessageId,
    pub(crate) answer: Option<MessageId>,
    pub(crate) state: TurnState,
    pub(crate) call: Option<LlmCallId>,
    pub(crate) error: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) ended_at: DateTime<Utc>,
}

pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) turn: TurnId,
    pub(crate) parent: Option<MessageId>,
    pub(crate) role: Role,
    pub(crate) content: String,
    pub(crate) tool_calls: Option<Value>,
    pub(crate) tool_call_id: Option<String>,
    /// Input and output tokens of an answer; `None` if its usage is unknown.
    pub(crate) tokens: Option<(u64, u64)>,
    pub(crate) call: Option<LlmCallId>,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) created_at: DateTime<Utc>,
}

pub(crate) struct ToolCall {
    pub(crate) id: Uuid,
    pub(crate) turn: TurnId,
    pub(crate) message: MessageId,
    pub(crate) call: LlmCallId,
    pub(crate) call_id: String,
    pub(crate) name: &'static str,
    pub(crate) arguments: String,
    pub(crate) result: String,
    pub(crate) duration_ms: i64,
    pub(crate) created_at: DateTime<Utc>,
}

/// Parameters of a conversation.
pub(crate) struct ConversationSpec<'a> {
    pub(crate) person: &'a Person,
    pub(crate) catalog: &'a Catalog,
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

/// Generates a conversation with these turns.
pub(crate) fn generate(
    spec: &ConversationSpec<'_>,
    turns: &[Turn],
    ids: &mut Ids,
    rng: &mut Rng,
) -> Conversation {
    let mut builder = Builder::new(spec, ids, rng);
    for (number, turn) in turns.iter().enumerate() {
        let last = number + 1 == turns.len();
        builder.turn(*turn, number == 0, last, ids, rng);
    }
    builder.finish(rng)
}

/// A conversation under construction.
struct Builder<'a> {
    spec: &'a ConversationSpec<'a>,
    model: &'a ModelChoice,
    topic: &'static Topic,
    slots: SlotValues,
    conversation: Conversation,
    /// Simulated current time.
    now: DateTime<Utc>,
    /// Tokens of all messages so far.
    tokens: u64,
    /// Indexes of the exchanges that were used.
    used_exchanges: Vec<usize>,
}

impl<'a> Builder<'a> {
    fn new(spec: &'a ConversationSpec<'a>, ids: &mut Ids, rng: &mut Rng) -> Self {
        let person = spec.person;
        let candidates: Vec<&'static Topic> =
            topics::all().iter().filter(|topic| topic.language == person.language).collect();
        let topic = *pick(rng, &candidates);
        let slots = SlotValues::new(topic, rng);
        let model = spec.catalog.model(person.language, rng);
        let session = Session {
            id: ids.at(spec.starts_at),
            user: person.id,
            project: spec.catalog.project(&topic.domain),
            title: slots.fill(pick(rng, &topic.titles).as_str()),
            provider: model.provider_id.0,
            model: model.model,
            system_prompt: &topic.system,
            status: SessionStatus::Active,
            metadata: json!({ crate::catalog::MARK: true, "domain": topic.domain, "language": person.language.code() }),
            created_at: spec.starts_at,
        };
        let conversation = Conversation {
            session,
            turns: Vec::new(),
            messages: Vec::new(),
            calls: Vec::new(),
            tool_calls: Vec::new(),
        };
        Self {
            spec,
            model,
            topic,
            slots,
            conversation,
            now: spec.starts_at,
            tokens: tokens(&topic.system),
            used_exchanges: Vec::new(),
        }
    }

    /// Advances the time; more slowly near the end, so that nothing is later than the end.
    fn advance(&mut self, micros: i64) -> DateTime<Utc> {
        let left = (self.spec.until - self.now).num_microseconds().unwrap_or(i64::MAX).max(0);
        self.now += TimeDelta::microseconds(micros.min(left / 4));
        self.now
    }

    fn turn(&mut self, kind: Turn, first: bool, last: bool, ids: &mut Ids, rng: &mut Rng) {
        if !first {
            self.advance(pause(rng));
        }
        let exchange = self.exchange(kind, first, last, rng);
        let started_at = self.now;
        let (question, answer) = (self.slots.fill(&exchange.0), self.slots.fill(&exchange.1));
        let row = TurnRow {
            id: ids.at(started_at),
            parent_turn: self.conversation.turns.last().map(|turn| turn.id),
            parent: self.conversation.messages.last().map(|message| message.id),
            question: ids.at(started_at),
            answer: None,
            state: TurnState::Completed,
            call: None,
            error: None,
            created_at: started_at,
            ended_at: started_at,
        };
        let (before, turn) = (self.tokens, row.id);
        self.conversation.turns.push(row);
        self.push_message(Message {
            id: self.conversation.turns[self.conversation.turns.len() - 1].question,
            ..message(turn, Role::User, question, started_at)
        });
        match kind {
            Turn::Plain => self.answer(turn, answer, before, ids, rng),
            Turn::Tool => {
                self.use_tool(turn, before, ids, rng);
                let before = self.tokens;
                self.answer(turn, answer, before, ids, rng);
            }
            Turn::Stopped | Turn::Interrupted => self.partial_answer(kind, turn, &answer, before, ids, rng),
            Turn::Failed => self.fail(turn, ids, rng),
        }
        let now = self.now;
        if let Some(turn) = self.conversation.turns.last_mut() {
            turn.ended_at = now;
        }
    }

    fn exchange(&mut self, kind: Turn, first: bool, last: bool, rng: &mut Rng) -> &'static Exchange {
        let topic = self.topic;
        if kind == Turn::Tool {
            return &topic.tool.exchange;
        }
        if first {
            return pick(rng, &topic.openings);
        }
        if last && rng.f64() < 0.6 {
            return pick(rng, &topic.closings);
        }
        // no exchange is repeated before all were used
        if self.used_exchanges.len() == topic.exchanges.len() {
            self.used_exchanges.clear();
        }
        let mut index = rng.usize(..topic.exchanges.len());
        while self.used_exchanges.contains(&index) {
            index = (index + 1) % topic.exchanges.len();
        }
        self.used_exchanges.push(index);
        &topic.exchanges[index]
    }

    fn push_message(&mut self, message: Message) -> MessageId {
        let parent = self.conversation.messages.last().map(|message| message.id);
        self.tokens += tokens(&message.content);
        self.conversation.messages.push(Message { parent, ..message });
        self.conversation.messages[self.conversation.messages.len() - 1].id
    }

    /// A model call; `before` is the number of tokens of earlier turns, `written` that of the output. Advances the time by
    /// its latency.
    fn call(
        &mut self,
        state: CallState,
        before: u64,
        written: u64,
        ids: &mut Ids,
        rng: &mut Rng,
    ) -> ImportedCall {
        let (first, latency) = self.model.profile.latency(written, rng);
        let started_at = self.now;
        let counted = matches!(state, CallState::Settled | CallState::Estimated);
        let usage = counted.then(|| self.model.profile.usage(before, self.tokens - before, written));
        self.advance(latency);
        let cost = usage
            .as_ref()
            .and_then(|usage| self.model.profile.price.map(|price| price.cost_of_tokens(usage)));
        ImportedCall {
            id: ids.at(started_at),
            at: started_at,
            state,
            provider: self.model.provider.to_owned(),
            model: self.model.model.to_owned(),
            session: Some(self.conversation.session.id.to_string()),
            user: Some(self.spec.person.id),
            end_user: None,
            project: self.conversation.session.project,
            streamed: rng.f64() < 0.85,
            status: Some(200),
            error: None,
            usage,
            cost_nano_usd: cost,
            latency_us: counted.then_some(latency),
            first_token_us: counted.then_some(first),
            source: Source::Gateway,
            endpoint: "/chat/completions".to_owned(),
            trace_id: None,
            span_id: None,
            response_id: None,
            links: None,
            request: None,
            response: None,
        }
    }

    fn answer(&mut self, turn: TurnId, mut text: String, before: u64, ids: &mut Ids, rng: &mut Rng) {
        while rng.f64() < 0.28 {
            let more = self.slots.fill(pick(rng, &self.topic.details).as_str());
            if text.contains(&more) {
                break;
            }
            text.push_str("\n\n");
            text.push_str(&more);
        }
        let call = self.call(CallState::Settled, before, tokens(&text), ids, rng);
        let message = self.push_message(self.assistant_message(turn, text, &call, FinishReason::Stop, ids));
        self.finish_turn(TurnState::Completed, Some(message), call, None);
    }

    /// An answer that was cut off.
    fn partial_answer(
        &mut self,
        kind: Turn,
        turn: TurnId,
        whole: &str,
        before: u64,
        ids: &mut Ids,
        rng: &mut Rng,
    ) {
        let length = whole.chars().count();
        let text: String = whole.chars().take(rng.usize(length / 5..=length * 4 / 5).max(1)).collect();
        let (state, finish, counted) = match kind {
            Turn::Interrupted => (TurnState::Interrupted, FinishReason::Interrupted, CallState::Orphaned),
            _ => (TurnState::Stopped, FinishReason::Stopped, CallState::Estimated),
        };
        let mut call = self.call(counted, before, tokens(&text), ids, rng);
        let message = self.push_message(self.assistant_message(turn, text, &call, finish, ids));
        if counted == CallState::Orphaned {
            call.status = None;
            call.error = Some("the server stopped during the call".to_owned());
        }
        self.finish_turn(state, Some(message), call, None);
    }

    fn fail(&mut self, turn: TurnId, ids: &mut Ids, rng: &mut Rng) {
        let (status, reason) = *pick(
            rng,
            &[
                (429, "the provider accepts no more requests for now"),
                (500, "the provider failed"),
                (503, "the provider is overloaded"),
            ],
        );
        let mut call = self.call(CallState::Failed, self.tokens, 0, ids, rng);
        call.status = Some(status);
        call.error = Some(reason.to_owned());
        debug_assert_eq!(self.conversation.turns.last().map(|row| row.id), Some(turn));
        self.finish_turn(TurnState::Failed, None, call, Some(reason.to_owned()));
    }

    fn use_tool(&mut self, turn: TurnId, before: u64, ids: &mut Ids, rng: &mut Rng) {
        let tool = &self.topic.tool;
        let arguments = self.slots.fill_data(&tool.arguments, rng);
        let result = self.slots.fill_data(&tool.result, rng);
        let call = self.call(CallState::Settled, before, tokens(&arguments), ids, rng);
        let call_id = format!("call_{:016x}", rng.u64(..));
        let tool_calls = json!([{
            "id": call_id, "type": "function",
            "function": { "name": tool.name, "arguments": arguments },
        }]);
        let request = self.assistant_message(turn, String::new(), &call, FinishReason::ToolCalls, ids);
        let message_id = self.push_message(Message { tool_calls: Some(tool_calls), ..request });
        let started_at = self.now;
        let duration_ms = rng.i64(15..900);
        let answered_at = self.advance(duration_ms * 1000);
        self.push_message(Message {
            id: ids.at(answered_at),
            tool_call_id: Some(call_id.clone()),
            ..message(turn, Role::Tool, result.clone(), answered_at)
        });
        self.conversation.tool_calls.push(ToolCall {
            id: ids.at(started_at),
            turn,
            message: message_id,
            call: call.id,
            call_id,
            name: &tool.name,
            arguments,
            result,
            duration_ms,
            created_at: started_at,
        });
        self.conversation.calls.push(call);
    }

    fn assistant_message(
        &self,
        turn: TurnId,
        text: String,
        call: &ImportedCall,
        finish: FinishReason,
        ids: &mut Ids,
    ) -> Message {
        Message {
            id: ids.at(self.now),
            tokens: call.usage.as_ref().map(|usage| (usage.prompt_tokens, usage.completion_tokens)),
            call: Some(call.id),
            finish: Some(finish),
            ..message(turn, Role::Assistant, text, self.now)
        }
    }

    fn finish_turn(
        &mut self,
        state: TurnState,
        answer: Option<MessageId>,
        call: ImportedCall,
        error: Option<String>,
    ) {
        if let Some(turn) = self.conversation.turns.last_mut() {
            turn.state = state;
            turn.answer = answer;
            turn.call = Some(call.id);
            turn.error = error;
        }
        self.conversation.calls.push(call);
    }

    fn finish(mut self, rng: &mut Rng) -> Conversation {
        let old = self.spec.until - self.now > TimeDelta::days(45);
        if old && rng.f64() < 0.3 {
            self.conversation.session.status = SessionStatus::Archived;
        }
        self.conversation
    }
}

fn message(turn: TurnId, role: Role, content: String, at: DateTime<Utc>) -> Message {
    Message {
        id: MessageId::NIL,
        turn,
        parent: None,
        role,
        content,
        tool_calls: None,
        tool_call_id: None,
        tokens: None,
        call: None,
        finish: None,
        created_at: at,
    }
}

/// Pause between turns in microseconds: about a minute, or sometimes hours or days.
fn pause(rng: &mut Rng) -> i64 {
    let seconds = match rng.u8(..100) {
        0..3 => rng.i64(3600 * 6..86_400 * 5),
        3..7 => rng.i64(900..3600 * 6),
        _ => 12 + rng.i64(0..40) + rng.i64(0..60) * rng.i64(0..4),
    };
    seconds * 1_000_000 + rng.i64(0..1_000_000)
}
