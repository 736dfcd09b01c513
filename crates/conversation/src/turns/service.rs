//! Rules for turns.

use std::sync::Arc;
use std::time::Duration;

use loam_db::Tx;
use loam_kernel::{ChatSessionId, Error, Kind, MessageId, Page, PageQuery, Result, Scope, TenantId, TurnId};
use sea_orm::{ColumnTrait, QueryFilter, Set};
use serde_json::Value;

use super::begin::{TurnStart, open_turns};
use super::entity::{ActiveModel, Column, Entity, Model, TurnState};
use super::event::TurnEvent;
use super::input::{Input, InputParent, ToolResultsCreate, TurnCreate, TurnRegenerate};
use super::live::LiveTurn;
use super::progress::TurnEvents;
use super::queue::StartedTurn;
use super::stored::unpack_events;
use super::writer::{End, Writer};
use crate::chat_sessions::access;
use crate::chat_sessions::entity::Model as Session;
use crate::chat_sessions::update::require_active;
use crate::messages::{entity as messages, of_session};
use crate::tools::{ClientResult, ToolOutcome};
use crate::turns::Turns;

/// How long a stop request waits for another node to stop its turn before it responds with the current state.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval of polling for that.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Retry-After if the session's queue is full.
const QUEUE_RETRY: Duration = Duration::from_secs(5);
/// Maximum number of results in one request.
const MAX_RESULTS: usize = 128;

/// A turn to create.
pub(crate) struct NewTurn {
    model: Option<String>,
    input: Input,
    question: Option<MessageId>,
    parent_turn: Option<TurnId>,
    parent: Option<MessageId>,
}

/// A turn that is queued once its transaction is committed.
pub(crate) struct Queued {
    pub(crate) live: Arc<LiveTurn>,
    started: Option<StartedTurn>,
}

impl NewTurn {
    /// A question that follows this message.
    pub(crate) fn question(model: Option<String>, input: Input, before: Option<&messages::Model>) -> Self {
        let parent_turn = before.and_then(|message| message.turn_id);
        Self { model, input, question: None, parent_turn, parent: before.map(|message| message.id) }
    }

    /// Another answer to the question of a turn, with the same request; includes the question if that was
    /// never stored as a message.
    pub(crate) fn repeat(old: Model) -> Result<Self> {
        let mut input = Input::read(&old.input)?;
        if old.user_message_id.is_some() {
            input.content = None;
        }
        Ok(Self {
            model: old.model,
            input,
            question: old.user_message_id,
            parent_turn: old.parent_turn_id,
            parent: old.parent_id,
        })
    }
}

impl Turns {
    /// Creates a turn for a question. The turn runs whether or not anyone waits for it.
    pub(crate) async fn create_turn(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        new: TurnCreate,
    ) -> Result<Arc<LiveTurn>> {
        new.check()?;
        self.admit(scope.tenant())?;
        let _lock = self.0.session_locks.acquire(scope.tenant(), session).await?;
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, session).await?;
        let follows = match new.parent_id {
            None => InputParent::Head,
            Some(None) => InputParent::Nothing,
            Some(Some(id)) => InputParent::Message(id),
        };
        let before = match follows {
            InputParent::Head => session.head_id,
            InputParent::Nothing => None,
            InputParent::Message(id) => Some(id),
        };
        let before = match before {
            Some(id) => Some(of_session(&tx, &session, "parent_id", id).await?),
            None => None,
        };
        let input = Input {
            content: Some(new.content),
            follows,
            settings: new.settings,
            metadata: new.metadata,
            sender: scope.user,
            reserved: None,
        };
        let new_turn = NewTurn::question(new.model, input, before.as_ref());
        self.enqueue(scope, tx, session, new_turn).await
    }

    /// Creates a turn for another answer to the question of a turn.
    pub(crate) async fn regenerate_turn(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        turn: TurnId,
        new: TurnRegenerate,
    ) -> Result<Arc<LiveTurn>> {
        new.check()?;
        self.admit(scope.tenant())?;
        let _lock = self.0.session_locks.acquire(scope.tenant(), session).await?;
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, session).await?;
        let old = turn_of(&tx, &session, turn).await?;
        if old.user_message_id.is_none() {
            return Err(wrong_state("this turn has not started, so its question is not stored yet"));
        }
        let mut new_turn = NewTurn::repeat(old)?;
        new_turn.model = new.model.or(new_turn.model);
        new_turn.input.settings = new.settings.unwrap_or(new_turn.input.settings);
        self.enqueue(scope, tx, session, new_turn).await
    }

    async fn enqueue<R>(
        &self,
        scope: &Scope,
        tx: Tx<R>,
        session: Session,
        new: NewTurn,
    ) -> Result<Arc<LiveTurn>> {
        let queued = self.queue_turn(scope, &tx, session, new).await?;
        tx.commit().await?;
        self.start_turn(scope, queued)
    }

    /// Queues a turn, or starts it if no other turn is open. The session's row and process lock must be held.
    /// Call [`Turns::start_turn`] after the commit.
    pub(crate) async fn queue_turn<R>(
        &self,
        scope: &Scope,
        tx: &Tx<R>,
        session: Session,
        new: NewTurn,
    ) -> Result<Queued> {
        require_active(&session)?;
        let model = self.model_of(scope, &session, new.model).await?;
        let waiting = open_turns(tx, session.id).await?.len() as u64;
        if waiting >= self.0.settings.with(scope.tenant(), |settings| settings.queue) {
            let message = "the session's queue is full; try again when a turn has ended";
            return Err(Error::new(Kind::TooMany, "session_busy", message).with_retry_after(QUEUE_RETRY));
        }
        let (id, now) = (TurnId(self.0.clock.id()), self.0.clock.now());
        let mut row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            session_id: Set(session.id),
            parent_turn_id: Set(new.parent_turn),
            parent_id: Set(new.parent),
            user_message_id: Set(new.question),
            assistant_message_id: Set(None),
            state: Set(TurnState::Queued),
            model: Set(Some(model.clone())),
            input: Set(new.input.write()?.into()),
            events: Set(None),
            events_deleted_at: Set(None),
            llm_call_id: Set(None),
            node_id: Set(self.0.node),
            error: Set(None),
            stop_requested: Set(false),
            lease_until: Set(self.lease()),
            started_at: Set(None),
            ended_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let (session_id, tenant) = (session.id, scope.tenant());
        let mut started = None;
        if waiting == 0 {
            let start = TurnStart { turn: id, input: &new.input, question: new.question, model: &model };
            started = Some(self.begin_turn(tx, session, start, &mut row).await?);
        }
        let turn = tx.insert(row).await?;
        let events = started.as_ref().map(|(_, events)| events.clone()).unwrap_or_default();
        let live = LiveTurn::new(tenant, session_id, id, events);
        let started = started.map(|(session, events)| StartedTurn { session, turn, events });
        Ok(Queued { live, started })
    }

    /// Runs a queued turn.
    pub(crate) fn start_turn(&self, scope: &Scope, queued: Queued) -> Result<Arc<LiveTurn>> {
        let Queued { live, started } = queued;
        if let Some(started) = &started {
            self.0.messages.notify_changed(&started.session);
        }
        self.run_turn(scope, &live, started)?;
        Ok(live)
    }

    /// The model that answers.
    async fn model_of(&self, scope: &Scope, session: &Session, requested: Option<String>) -> Result<String> {
        if let Some(model) = requested {
            return Ok(model);
        }
        match (session.provider_id, &session.model) {
            (Some(provider), Some(model)) => {
                let address = self.0.proxy.qualified_model(scope, provider, model).await?;
                return address.ok_or_else(|| no_model("the session's provider was deleted: change the session's `provider_id`, or send a `model`"));
            }
            (None, Some(model)) => return Ok(model.clone()),
            (_, None) => {}
        }
        let preferred = self.0.sessions.ai_settings(session).await?.model;
        preferred.or_else(|| self.default_model(scope.tenant())).ok_or_else(|| {
            no_model("no model is set: send a `model`, or set the session's `model`, the user's `ai_settings.model`, or `default_model` of `conversation.turns`")
        })
    }

    /// The turns of a session, newest first.
    pub(crate) async fn list_turns(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        state: Option<TurnState>,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let session = access::get(&tx, session).await?;
        let mut find = tx.find::<Entity>().filter(Column::SessionId.eq(session.id));
        if let Some(state) = state {
            find = find.filter(Column::State.eq(state));
        }
        find.page(page, |row| row.id.0).await
    }

    /// A turn with its answer.
    pub(crate) async fn get_turn(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        turn: TurnId,
    ) -> Result<(Model, Option<messages::Model>)> {
        let tx = self.0.db.read(scope).await?;
        let session = access::get(&tx, session).await?;
        let turn = turn_of(&tx, &session, turn).await?;
        let answer = match turn.assistant_message_id {
            Some(id) => tx.get::<messages::Entity>(id).await?,
            None => None,
        };
        Ok((turn, answer))
    }

    /// Stops a turn; partial output is kept.
    pub(crate) async fn stop_turn(&self, scope: &Scope, session: ChatSessionId, id: TurnId) -> Result<()> {
        let lock = self.0.session_locks.acquire(scope.tenant(), session).await?;
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, session).await?;
        let turn = turn_of(&tx, &session, id).await?;
        if turn.ended_at.is_some() {
            return Err(wrong_state("this turn has ended already"));
        }
        if turn.state == TurnState::RequiresAction {
            let Some(writer) = Writer::open(&tx, &self.0.clock, session.id, id).await? else {
                return Err(wrong_state("this turn has ended already"));
            };
            writer.end(&End::stopped(), None).await?;
            self.0.tools.end_pending_calls(&tx, session.id, id, false).await?;
            tx.commit().await?;
            self.0.messages.notify_changed(&session);
            self.0.live.wake(session.id);
            return Ok(());
        }
        if let Some(live) = self.0.live.get(id) {
            drop((tx, lock));
            live.stop.cancel();
            live.wait_done().await;
            return Ok(());
        }
        tx.update_many::<Entity>().set(Column::StopRequested, true).filter(Column::Id.eq(id)).exec().await?;
        tx.commit().await?;
        drop(lock);
        let ended = async {
            while self.get_turn(scope, session.id, id).await?.0.ended_at.is_none() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            Ok(())
        };
        // Its node may be dead: then the turn ends when its lease expires.
        tokio::time::timeout(STOP_TIMEOUT, ended).await.unwrap_or(Ok(()))
    }

    /// Stores results of client tools. When all are present, the turn resumes on this node; returns it with
    /// its events so far.
    pub(crate) async fn submit_tool_results(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        id: TurnId,
        given: &ToolResultsCreate,
    ) -> Result<Option<(Arc<LiveTurn>, EventsSoFar)>> {
        let results = &given.tool_results;
        if !(1..=MAX_RESULTS).contains(&results.len()) {
            return Err(Error::invalid("tool_results", format!("must have 1 to {MAX_RESULTS} results")));
        }
        self.admit(scope.tenant())?;
        let _lock = self.0.session_locks.acquire(scope.tenant(), session).await?;
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, session).await?;
        turn_of(&tx, &session, id).await?;
        let writer = Writer::open(&tx, &self.0.clock, session.id, id).await?;
        let waits = writer.filter(|writer| writer.turn.state == TurnState::RequiresAction);
        let mut writer = waits.ok_or_else(|| wrong_state("this turn is not waiting for tool results"))?;
        let mut open = writer.events.progress().open_calls.clone();
        for (at, result) in results.iter().enumerate() {
            let Some(position) = open.iter().position(|call| call.id == result.tool_call_id) else {
                let message = format!("no pending tool call `{}`", result.tool_call_id);
                return Err(Error::invalid(format!("tool_results[{at}].tool_call_id"), message));
            };
            open.remove(position);
            let outcome = ToolOutcome { content: result.content.clone(), is_error: result.is_error };
            writer.tool_result(&result.tool_call_id, &outcome).await?;
        }
        let record: Vec<ClientResult<'_>> = results
            .iter()
            .map(|result| ClientResult {
                call_id: &result.tool_call_id,
                content: &result.content,
                is_error: result.is_error,
            })
            .collect();
        self.0.tools.record_client_results(&tx, &writer.session, &record).await?;
        if !open.is_empty() {
            writer.keep_waiting().await?;
            tx.commit().await?;
            self.0.messages.notify_changed(&session);
            return Ok(None);
        }
        let (session, mut turn) = (writer.session.clone(), writer.turn.clone());
        let events = writer.resume(None, self.lease()).await?;
        // Another node may have run it before.
        turn.node_id = self.0.node;
        tx.update_many::<Entity>().set(Column::NodeId, self.0.node).filter(Column::Id.eq(id)).exec().await?;
        let so_far = EventsSoFar::of(&events);
        let live = LiveTurn::new(scope.tenant(), session.id, id, events.clone());
        // Registered before the commit, so that the recovery does not treat it as abandoned.
        self.0.live.register(&live);
        if let Err(e) = tx.commit().await {
            self.0.live.remove(&live);
            return Err(e);
        }
        self.0.messages.notify_changed(&session);
        self.run_turn(scope, &live, Some(StartedTurn { session, turn, events }))?;
        Ok(Some((live, so_far)))
    }
}

/// The events of a turn when a request starts or resumes it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventsSoFar {
    /// Their number.
    pub(super) count: usize,
    /// The number of those before the part of the turn that the request continues with: it begins with the results after
    /// the last `requires_action`.
    pub(super) before: usize,
}

impl EventsSoFar {
    fn of(events: &[TurnEvent]) -> Self {
        let last_wait = events.iter().rposition(|event| matches!(event, TurnEvent::RequiresAction(_)));
        Self { count: events.len(), before: last_wait.map_or(0, |at| at + 1) }
    }
}

/// The tool calls that a turn waits for.
pub(super) fn pending_tool_calls(turn: &Model) -> Result<Vec<super::event::ToolCall>> {
    if turn.state != TurnState::RequiresAction {
        return Ok(Vec::new());
    }
    let events: Vec<TurnEvent> = turn.events.as_deref().map(unpack_events).transpose()?.unwrap_or_default();
    Ok(TurnEvents::from(events).progress().open_calls.clone())
}

async fn turn_of<R>(tx: &Tx<R>, session: &Session, turn: TurnId) -> Result<Model> {
    let row = tx.get::<Entity>(turn).await?.filter(|row| row.session_id == session.id);
    row.ok_or_else(|| Error::not_found("turn"))
}

fn wrong_state(message: &str) -> Error {
    Error::new(Kind::Conflict, "wrong_state", message)
}

fn no_model(message: &str) -> Error {
    Error::new(Kind::Invalid, "no_model", message).with_param("model")
}

/// The question of a turn that has not started.
pub(super) fn question_of(turn: &Model) -> Option<Value> {
    turn.input.get("content").filter(|content| !content.is_null()).cloned()
}
