//! One conversation: its rows, from the first question to the last answer.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loam_conversation::chat_sessions::entity::SessionStatus;
use loam_conversation::messages::entity::{FinishReason, Role};
use loam_conversation::turns::entity::TurnState;
use loam_gateway::llm_calls::entity::CallState;
use loam_gateway::llm_calls::{ImportedCall, Source};
use loam_kernel::{ChatSessionId, LlmCallId, MessageId, ProjectId, TurnId, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ids::Ids;
use crate::measures::tokens;
use crate::people::Person;
use crate::places::{DataLocations, Place};
use crate::talk::Turn;
use crate::topics::{self, Exchange, Filling, Topic, pick};

/// What a conversation comes to.
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
    /// Tokens read and written, of an answer that has its account.
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

/// Who, with what, where and when.
pub(crate) struct Setting<'a> {
    pub(crate) person: &'a Person,
    pub(crate) places: &'a DataLocations,
    pub(crate) begins: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

/// Makes a conversation of these turns.
pub(crate) fn make(setting: &Setting<'_>, turns: &[Turn], ids: &mut Ids, rng: &mut Rng) -> Conversation {
    let mut script = Script::new(setting, ids, rng);
    for (number, turn) in turns.iter().enumerate() {
        let last = number + 1 == turns.len();
        script.turn(*turn, number == 0, last, ids, rng);
    }
    script.end(rng)
}

/// A conversation in the making.
struct Script<'a> {
    setting: &'a Setting<'a>,
    place: &'a Place,
    topic: &'static Topic,
    filling: Filling,
    made: Conversation,
    /// When it is now.
    now: DateTime<Utc>,
    /// Tokens of all that was said.
    said: u64,
    asked: Vec<usize>,
}

impl<'a> Script<'a> {
    fn new(setting: &'a Setting<'a>, ids: &mut Ids, rng: &mut Rng) -> Self {
        let person = setting.person;
        let spoken: Vec<&'static Topic> =
            topics::all().iter().filter(|topic| topic.language == person.language).collect();
        let topic = *pick(rng, &spoken);
        let filling = Filling::new(topic, rng);
        let place = setting.places.model(person.language, rng);
        let session = Session {
            id: ids.at(setting.begins),
            user: person.id,
            project: setting.places.project(&topic.domain),
            title: filling.fill(pick(rng, &topic.titles).as_str()),
            provider: place.provider_id.0,
            model: place.model,
            system_prompt: &topic.system,
            status: SessionStatus::Active,
            metadata: json!({ crate::places::MARK: true, "domain": topic.domain, "language": person.language.code() }),
            created_at: setting.begins,
        };
        let made = Conversation {
            session,
            turns: Vec::new(),
            messages: Vec::new(),
            calls: Vec::new(),
            tool_calls: Vec::new(),
        };
        Self {
            setting,
            place,
            topic,
            filling,
            made,
            now: setting.begins,
            said: tokens(&topic.system),
            asked: Vec::new(),
        }
    }

    /// Lets time pass; it slows down as it comes near the end, so that nothing is later.
    fn wait(&mut self, micros: i64) -> DateTime<Utc> {
        let left = (self.setting.until - self.now).num_microseconds().unwrap_or(i64::MAX).max(0);
        self.now += TimeDelta::microseconds(micros.min(left / 4));
        self.now
    }

    fn turn(&mut self, kind: Turn, first: bool, last: bool, ids: &mut Ids, rng: &mut Rng) {
        if !first {
            self.wait(pause(rng));
        }
        let exchange = self.exchange(kind, first, last, rng);
        let begun = self.now;
        let (question, answer) = (self.filling.fill(&exchange.0), self.filling.fill(&exchange.1));
        let row = TurnRow {
            id: ids.at(begun),
            parent_turn: self.made.turns.last().map(|turn| turn.id),
            parent: self.made.messages.last().map(|message| message.id),
            question: ids.at(begun),
            answer: None,
            state: TurnState::Completed,
            call: None,
            error: None,
            created_at: begun,
            ended_at: begun,
        };
        let (before, turn) = (self.said, row.id);
        self.made.turns.push(row);
        self.say(Message {
            id: self.made.turns[self.made.turns.len() - 1].question,
            ..message(turn, Role::User, question, begun)
        });
        match kind {
            Turn::Plain => self.answer(turn, answer, before, ids, rng),
            Turn::Tool => {
                self.use_tool(turn, before, ids, rng);
                let before = self.said;
                self.answer(turn, answer, before, ids, rng);
            }
            Turn::Stopped | Turn::Interrupted => self.part(kind, turn, &answer, before, ids, rng),
            Turn::Failed => self.fail(turn, ids, rng),
        }
        let now = self.now;
        if let Some(turn) = self.made.turns.last_mut() {
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
        // nobody asks the same again before everything was asked
        if self.asked.len() == topic.exchanges.len() {
            self.asked.clear();
        }
        let mut index = rng.usize(..topic.exchanges.len());
        while self.asked.contains(&index) {
            index = (index + 1) % topic.exchanges.len();
        }
        self.asked.push(index);
        &topic.exchanges[index]
    }

    fn say(&mut self, message: Message) -> MessageId {
        let parent = self.made.messages.last().map(|message| message.id);
        self.said += tokens(&message.content);
        self.made.messages.push(Message { parent, ..message });
        self.made.messages[self.made.messages.len() - 1].id
    }

    /// A call of the model that read what was said up to `before` earlier; time passes until it has its answer.
    fn call(
        &mut self,
        state: CallState,
        before: u64,
        written: u64,
        ids: &mut Ids,
        rng: &mut Rng,
    ) -> ImportedCall {
        let (first, latency) = self.place.pace.latency(written, rng);
        let begun = self.now;
        let counted = matches!(state, CallState::Settled | CallState::Estimated);
        let usage = counted.then(|| self.place.pace.usage(before, self.said - before, written));
        self.wait(latency);
        let cost = usage.as_ref().and_then(|usage| self.place.pace.price.map(|price| price.cost(usage)));
        ImportedCall {
            id: ids.at(begun),
            at: begun,
            state,
            provider: self.place.provider.to_owned(),
            model: self.place.model.to_owned(),
            session: Some(self.made.session.id.to_string()),
            user: Some(self.setting.person.id),
            end_user: None,
            project: self.made.session.project,
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
            request: None,
            response: None,
        }
    }

    fn answer(&mut self, turn: TurnId, mut text: String, before: u64, ids: &mut Ids, rng: &mut Rng) {
        while rng.f64() < 0.28 {
            let more = self.filling.fill(pick(rng, &self.topic.details).as_str());
            if text.contains(&more) {
                break;
            }
            text.push_str("\n\n");
            text.push_str(&more);
        }
        let call = self.call(CallState::Settled, before, tokens(&text), ids, rng);
        let said = self.say(self.spoken(turn, text, &call, FinishReason::Stop, ids));
        self.ended(TurnState::Completed, Some(said), call, None);
    }

    /// An answer that was cut.
    fn part(&mut self, kind: Turn, turn: TurnId, whole: &str, before: u64, ids: &mut Ids, rng: &mut Rng) {
        let length = whole.chars().count();
        let text: String = whole.chars().take(rng.usize(length / 5..=length * 4 / 5).max(1)).collect();
        let (state, finish, counted) = match kind {
            Turn::Interrupted => (TurnState::Interrupted, FinishReason::Interrupted, CallState::Orphaned),
            _ => (TurnState::Stopped, FinishReason::Stopped, CallState::Estimated),
        };
        let mut call = self.call(counted, before, tokens(&text), ids, rng);
        let said = self.say(self.spoken(turn, text, &call, finish, ids));
        if counted == CallState::Orphaned {
            call.status = None;
            call.error = Some("the server died while the call was under way".to_owned());
        }
        self.ended(state, Some(said), call, None);
    }

    fn fail(&mut self, turn: TurnId, ids: &mut Ids, rng: &mut Rng) {
        let (status, why) = *pick(
            rng,
            &[
                (429, "the provider takes no more requests for now"),
                (500, "the provider failed"),
                (503, "the provider is overloaded"),
            ],
        );
        let mut call = self.call(CallState::Failed, self.said, 0, ids, rng);
        call.status = Some(status);
        call.error = Some(why.to_owned());
        debug_assert_eq!(self.made.turns.last().map(|row| row.id), Some(turn));
        self.ended(TurnState::Failed, None, call, Some(why.to_owned()));
    }

    fn use_tool(&mut self, turn: TurnId, before: u64, ids: &mut Ids, rng: &mut Rng) {
        let tool = &self.topic.tool;
        let arguments = self.filling.fill_data(&tool.arguments, rng);
        let result = self.filling.fill_data(&tool.result, rng);
        let call = self.call(CallState::Settled, before, tokens(&arguments), ids, rng);
        let call_id = format!("call_{:016x}", rng.u64(..));
        let wanted = json!([{
            "id": call_id, "type": "function",
            "function": { "name": tool.name, "arguments": arguments },
        }]);
        let spoken = self.spoken(turn, String::new(), &call, FinishReason::ToolCalls, ids);
        let message_id = self.say(Message { tool_calls: Some(wanted), ..spoken });
        let begun = self.now;
        let duration_ms = rng.i64(15..900);
        let answered = self.wait(duration_ms * 1000);
        self.say(Message {
            id: ids.at(answered),
            tool_call_id: Some(call_id.clone()),
            ..message(turn, Role::Tool, result.clone(), answered)
        });
        self.made.tool_calls.push(ToolCall {
            id: ids.at(begun),
            turn,
            message: message_id,
            call: call.id,
            call_id,
            name: &tool.name,
            arguments,
            result,
            duration_ms,
            created_at: begun,
        });
        self.made.calls.push(call);
    }

    fn spoken(
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

    fn ended(
        &mut self,
        state: TurnState,
        answer: Option<MessageId>,
        call: ImportedCall,
        error: Option<String>,
    ) {
        if let Some(turn) = self.made.turns.last_mut() {
            turn.state = state;
            turn.answer = answer;
            turn.call = Some(call.id);
            turn.error = error;
        }
        self.made.calls.push(call);
    }

    fn end(mut self, rng: &mut Rng) -> Conversation {
        let old = self.setting.until - self.now > TimeDelta::days(45);
        if old && rng.f64() < 0.3 {
            self.made.session.status = SessionStatus::Archived;
        }
        self.made
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

/// Microseconds until somebody goes on: they read and write for a minute or so, or come back another day.
fn pause(rng: &mut Rng) -> i64 {
    let seconds = match rng.u8(..100) {
        0..3 => rng.i64(3600 * 6..86_400 * 5),
        3..7 => rng.i64(900..3600 * 6),
        _ => 12 + rng.i64(0..40) + rng.i64(0..60) * rng.i64(0..4),
    };
    seconds * 1_000_000 + rng.i64(0..1_000_000)
}
