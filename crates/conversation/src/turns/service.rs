//! The rules of turns.

use std::sync::Arc;
use std::time::Duration;

use loam_db::Tx;
use loam_kernel::{ChatSessionId, Error, Kind, MessageId, Page, PageQuery, Result, Scope, TenantId, TurnId};
use sea_orm::{ColumnTrait, QueryFilter, Set};
use serde_json::Value;

use super::begin::{Beginning, open_turns};
use super::entity::{ActiveModel, Column, Entity, Model, TurnState};
use super::event::{TurnEvent, unpack_events};
use super::input::{Follows, Input, ToolResults, TurnCreate, TurnRegenerate};
use super::live::Live;
use super::progress::Progress;
use super::queue::Begun;
use super::writer::{End, Writer};
use crate::Conversation;
use crate::chat_sessions::access;
use crate::chat_sessions::entity::Model as Session;
use crate::chat_sessions::update::require_active;
use crate::messages::{entity as messages, of_session};
use crate::tools::{ClientResult, ToolOutcome};

/// How long another node has to stop a turn of its own before the caller is told how it stands.
const STOPPING: Duration = Duration::from_secs(10);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);
/// How long a caller waits whom the session's queue has no room for.
const QUEUE_RETRY: Duration = Duration::from_secs(5);
/// Results in one request.
const MAX_RESULTS: usize = 128;

/// A turn that is to be made.
pub(crate) struct New {
    model: Option<String>,
    input: Input,
    question: Option<MessageId>,
    parent_turn: Option<TurnId>,
    parent: Option<MessageId>,
}

/// A turn that is in its session's queue once its transaction is committed.
pub(crate) struct Queued {
    pub(crate) live: Arc<Live>,
    begun: Option<Begun>,
}

impl New {
    /// A question that follows this message, and asks for nothing but an answer.
    pub(crate) fn asking(model: Option<String>, input: Input, before: Option<&messages::Model>) -> Self {
        let parent_turn = before.and_then(|message| message.turn_id);
        Self { model, input, question: None, parent_turn, parent: before.map(|message| message.id) }
    }

    /// Another answer to the question of a turn, as that was asked; the question too, if it never became a message.
    pub(crate) fn again(old: Model) -> Result<Self> {
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

impl Conversation {
    /// Asks a question. The turn runs on, whoever waits for it.
    pub(crate) async fn create_turn(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        new: TurnCreate,
    ) -> Result<Arc<Live>> {
        new.check()?;
        self.0.turns.admit(scope.tenant())?;
        let _lane = self.0.lanes.enter(scope.tenant(), session).await?;
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, session).await?;
        let follows = match new.parent_id {
            None => Follows::Head,
            Some(None) => Follows::Nothing,
            Some(Some(id)) => Follows::Message(id),
        };
        let before = match follows {
            Follows::Head => session.head_id,
            Follows::Nothing => None,
            Follows::Message(id) => Some(id),
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
            promised: None,
        };
        let made = New::asking(new.model, input, before.as_ref());
        self.enqueue(scope, tx, session, made).await
    }

    /// Asks for another answer to the question of a turn.
    pub(crate) async fn regenerate_turn(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        turn: TurnId,
        new: TurnRegenerate,
    ) -> Result<Arc<Live>> {
        new.check()?;
        self.0.turns.admit(scope.tenant())?;
        let _lane = self.0.lanes.enter(scope.tenant(), session).await?;
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, session).await?;
        let old = turn_of(&tx, &session, turn).await?;
        if old.user_message_id.is_none() {
            return Err(wrong_state("this turn has not begun, so it has no question yet"));
        }
        let mut made = New::again(old)?;
        made.model = new.model.or(made.model);
        made.input.settings = new.settings.unwrap_or(made.input.settings);
        self.enqueue(scope, tx, session, made).await
    }

    async fn enqueue<R>(&self, scope: &Scope, tx: Tx<R>, session: Session, new: New) -> Result<Arc<Live>> {
        let queued = self.queue_turn(scope, &tx, session, new).await?;
        tx.commit().await?;
        self.start_turn(scope, queued)
    }

    /// Puts a turn into its session's queue, or begins it if there is none before it. The session is locked, its lane
    /// entered; [`Conversation::start_turn`] follows the commit.
    pub(crate) async fn queue_turn<R>(
        &self,
        scope: &Scope,
        tx: &Tx<R>,
        session: Session,
        new: New,
    ) -> Result<Queued> {
        require_active(&session)?;
        let model = self.model_of(scope, &session, new.model).await?;
        let waiting = open_turns(tx, session.id).await?.len() as u64;
        if waiting >= self.0.settings.with(scope.tenant(), |settings| settings.queue) {
            let message =
                "as many turns as this session takes are under way or wait; try again when one has ended";
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
            input: Set(new.input.write()?),
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
        let mut begun = None;
        if waiting == 0 {
            let beginning = Beginning { turn: id, input: &new.input, question: new.question, model: &model };
            begun = Some(self.begin(tx, session, beginning, &mut row).await?);
        }
        let turn = tx.insert(row).await?;
        let events = begun.as_ref().map(|(_, events)| events.clone()).unwrap_or_default();
        let live = Live::new(tenant, session_id, id, events);
        let begun = begun.map(|(session, events)| Begun { session, turn, events });
        Ok(Queued { live, begun })
    }

    /// Runs a turn that is in its session's queue by now.
    pub(crate) fn start_turn(&self, scope: &Scope, queued: Queued) -> Result<Arc<Live>> {
        let Queued { live, begun } = queued;
        if let Some(begun) = &begun {
            self.said(&begun.session);
        }
        self.run_turn(scope, &live, begun)?;
        Ok(live)
    }

    /// Who answers.
    async fn model_of(&self, scope: &Scope, session: &Session, asked: Option<String>) -> Result<String> {
        if let Some(model) = asked {
            return Ok(model);
        }
        match (session.provider_id, &session.model) {
            (Some(provider), Some(model)) => {
                let address = self.0.gateway.qualified_model(scope, provider, model).await?;
                return address.ok_or_else(|| no_model("the session's provider is gone: change the session's `provider_id`, or send a `model`"));
            }
            (None, Some(model)) => return Ok(model.clone()),
            (_, None) => {}
        }
        let usual = self.0.settings.with(scope.tenant(), |settings| settings.default_model.clone());
        usual.ok_or_else(|| {
            no_model("nothing says who answers: send a `model`, or set the session's `model`, or `default_model` of `conversation.turns`")
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

    /// One turn, with its answer.
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

    /// Stops a turn; what came is kept.
    pub(crate) async fn stop_turn(&self, scope: &Scope, session: ChatSessionId, id: TurnId) -> Result<()> {
        let lane = self.0.lanes.enter(scope.tenant(), session).await?;
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
            self.give_up_waiting(&tx, session.id, id, false).await?;
            tx.commit().await?;
            self.said(&session);
            self.0.turns.wake(session.id);
            return Ok(());
        }
        if let Some(live) = self.0.turns.get(id) {
            drop((tx, lane));
            live.stop.cancel();
            live.over().await;
            return Ok(());
        }
        tx.update_many::<Entity>().set(Column::StopRequested, true).filter(Column::Id.eq(id)).exec().await?;
        tx.commit().await?;
        drop(lane);
        let ended = async {
            while self.get_turn(scope, session.id, id).await?.0.ended_at.is_none() {
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        // its node may be gone: then the turn ends with its lease
        tokio::time::timeout(STOPPING, ended).await.unwrap_or(Ok(()))
    }

    /// Takes results of the client's tools. When all are there the turn goes on, here, behind so many events.
    pub(crate) async fn take_results(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        id: TurnId,
        given: &ToolResults,
    ) -> Result<Option<(Arc<Live>, usize)>> {
        let results = &given.tool_results;
        if !(1..=MAX_RESULTS).contains(&results.len()) {
            return Err(Error::invalid("tool_results", format!("must have 1 to {MAX_RESULTS} results")));
        }
        self.0.turns.admit(scope.tenant())?;
        let _lane = self.0.lanes.enter(scope.tenant(), session).await?;
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, session).await?;
        turn_of(&tx, &session, id).await?;
        let writer = Writer::open(&tx, &self.0.clock, session.id, id).await?;
        let waits = writer.filter(|writer| writer.turn.state == TurnState::RequiresAction);
        let mut writer = waits.ok_or_else(|| wrong_state("this turn waits for no results"))?;
        let mut open = Progress::of(&writer.events).open_calls;
        for (at, result) in results.iter().enumerate() {
            let Some(known) = open.iter().position(|call| call.id == result.tool_call_id) else {
                let message = format!("no call `{}` of a tool waits for a result", result.tool_call_id);
                return Err(Error::invalid(format!("tool_results[{at}].tool_call_id"), message));
            };
            open.remove(known);
            let outcome = ToolOutcome { content: result.content.clone(), is_error: result.is_error };
            writer.result(&result.tool_call_id, &outcome).await?;
        }
        let record: Vec<ClientResult<'_>> = results
            .iter()
            .map(|result| ClientResult {
                call_id: &result.tool_call_id,
                content: &result.content,
                is_error: result.is_error,
            })
            .collect();
        self.record_client_results(&tx, &writer.session, &record).await?;
        if !open.is_empty() {
            writer.stay().await?;
            tx.commit().await?;
            self.said(&session);
            return Ok(None);
        }
        let (session, mut turn) = (writer.session.clone(), writer.turn.clone());
        let events = writer.go_on(None, self.lease()).await?;
        // it may have been another node's
        turn.node_id = self.0.node;
        tx.update_many::<Entity>().set(Column::NodeId, self.0.node).filter(Column::Id.eq(id)).exec().await?;
        let (live, sent) = (Live::new(scope.tenant(), session.id, id, events.clone()), events.len());
        // before anybody can take it for one that nobody runs
        self.0.turns.hold(&live);
        if let Err(e) = tx.commit().await {
            self.0.turns.remove(&live);
            return Err(e);
        }
        self.said(&session);
        self.run_turn(scope, &live, Some(Begun { session, turn, events }))?;
        Ok(Some((live, sent)))
    }
}

/// The uses of tools that a turn waits for.
pub(super) fn wanted(turn: &Model) -> Result<Vec<super::event::ToolCall>> {
    if turn.state != TurnState::RequiresAction {
        return Ok(Vec::new());
    }
    let events: Vec<TurnEvent> = turn.events.as_deref().map(unpack_events).transpose()?.unwrap_or_default();
    Ok(Progress::of(&events).open_calls)
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

/// The question as it was asked, of a turn that has not begun.
pub(super) fn question_of(turn: &Model) -> Option<Value> {
    turn.input.get("content").filter(|content| !content.is_null()).cloned()
}
