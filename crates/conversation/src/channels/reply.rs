//! The answer to a message that came in, as a durable job.
//!
//! Messages of one chat are answered one after another, each by a turn of the session. A message is answered once: its
//! event knows the turn that answers it, what goes out and the end of the event are one transaction, and an event that has
//! ended is left alone.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::Tx;
use loam_jobs::{Handler, JobContext, NewJob, enqueue, read_payload};
use loam_kernel::{ChannelEventId, Error, Kind, MessageId, Result, Scope};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, Set};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chats;
use super::directory::Known;
use super::events::{self, EventState};
use super::outgoing::Outgoing;
use crate::Conversation;
use crate::chat_sessions::entity as sessions;
use crate::messages::append::append;
use crate::messages::entity as messages;
use crate::turns::Input;
use crate::turns::entity::Entity as Turns;

pub(super) const REPLY: &str = "channels.reply";
/// How often an answer is tried for.
pub(super) const RUNS: u16 = 5;
/// How long a message holds up those behind it at most. It ends sooner, unless somebody takes its job away.
const HOLDS_UP: TimeDelta = TimeDelta::hours(1);

#[derive(Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) event_id: ChannelEventId,
}

/// Answers messages.
pub(crate) struct Replies(pub(crate) Conversation);

/// A message to be answered.
pub(super) struct Question {
    pub(super) event: events::Model,
    pub(super) chat: chats::Model,
    pub(super) session: sessions::Model,
    /// What was said, and by whom.
    pub(super) input: Input,
}

impl Question {
    /// Goes out to where the message came from.
    fn outgoing(&self, text: String, message: Option<MessageId>) -> Outgoing {
        let replies_to = self
            .input
            .metadata
            .get("channel")
            .and_then(|origin| origin["message_id"].as_str())
            .map(str::to_owned);
        Outgoing { text, message_id: message, replies_to, event_id: Some(self.event.event_id.clone()) }
    }
}

#[async_trait]
impl Handler for Replies {
    fn kind(&self) -> &'static str {
        REPLY
    }

    fn waits(&self) -> bool {
        true
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let Reply { event_id } = read_payload(payload)?;
        let this = &self.0;
        let Some(question) = this.begin_reply(&job.scope(), event_id).await? else { return Ok(()) };
        let Some(channel) = this.0.channels.directory.get(question.event.channel_id).await? else {
            return Ok(());
        };
        let answer = match this.admit(&channel) {
            Ok(()) => this.answer(&channel, &question).await,
            Err(e) => Err(e),
        };
        match answer {
            Ok(answer) => this.end_reply(&channel, &question, &answer).await,
            Err(e) if passes(&e) && job.attempt < job.max_attempts => Err(e),
            Err(e) => {
                tracing::error!(channel.id = %channel.id, session.id = %question.session.id, error = %e, "a message was not answered");
                this.fail_reply(&channel, &question, &e).await
            }
        }
    }
}

/// Whether it may go better later.
fn passes(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::TooMany | Kind::Unavailable | Kind::BadGateway | Kind::Timeout | Kind::Internal
    )
}

impl Conversation {
    /// What is to be answered now; none if it has been, or must wait.
    async fn begin_reply(&self, scope: &Scope, id: ChannelEventId) -> Result<Option<Question>> {
        let tx = self.0.db.write(scope).await?;
        let Some(event) = tx.get_locked::<events::Entity>(id).await? else { return Ok(None) };
        let (Some(chat), Some(session), Some(message)) = (event.chat_id, event.session_id, event.message_id)
        else {
            return Ok(None);
        };
        if !matches!(event.state, EventState::Pending | EventState::Waiting) {
            return Ok(None);
        }
        let now = self.0.clock.now();
        let ahead =
            in_chat(&event).add(events::Column::Id.lt(id)).add(events::Column::CreatedAt.gt(now - HOLDS_UP));
        let find = tx.find::<events::Entity>().filter(ahead).order_by_asc(events::Column::Id);
        // locked: either its end sees this one waiting, or this one sees its end
        if find.locked().one().await?.is_some() {
            self.set_state(&tx, event, EventState::Waiting, now).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let event = self.set_state(&tx, event, EventState::Pending, now).await?;
        let asked = match (event.question.clone(), event.turn_id) {
            (Some(question), _) => Some(question),
            (None, Some(turn)) => tx.get::<Turns>(turn).await?.map(|turn| turn.input),
            (None, None) => None,
        };
        let input = asked.as_ref().map(Input::read).transpose()?;
        // none while its turn has not begun
        let message = tx.get::<messages::Entity>(message).await?;
        let stays = message.is_none_or(|message| message.deleted_at.is_none());
        let chat = tx.get::<chats::Entity>(chat).await?;
        let session = tx.get::<sessions::Entity>(session).await?;
        let (Some(chat), Some(session), Some(input), true) = (chat, session, input, stays) else {
            let why = "the message, or its session, was deleted before it was answered".to_owned();
            self.end_event(tx, event, EventState::Ignored, Some(why)).await?;
            return Ok(None);
        };
        tx.commit().await?;
        Ok(Some(Question { event, chat, session, input }))
    }

    async fn set_state<R>(
        &self,
        tx: &Tx<R>,
        event: events::Model,
        state: EventState,
        now: DateTime<Utc>,
    ) -> Result<events::Model> {
        if event.state == state {
            return Ok(event);
        }
        let mut row = event.into_active_model();
        row.state = Set(state);
        row.updated_at = Set(now);
        tx.update(row).await
    }

    /// Sends an answer.
    async fn end_reply(&self, channel: &Known, question: &Question, answer: &messages::Model) -> Result<()> {
        let tx = self.0.db.write(&channel.scope()).await?;
        let Some(event) = self.still_open(&tx, question).await? else { return Ok(()) };
        let outgoing = question.outgoing(answer.content.clone(), Some(answer.id));
        self.send_out(&tx, channel, &question.chat, outgoing).await?;
        self.end_event(tx, event, EventState::Answered, None).await
    }

    /// Says that there is no answer, if the channel has words for it. A message that no turn took is kept all the same.
    async fn fail_reply(&self, channel: &Known, question: &Question, error: &Error) -> Result<()> {
        let _lane = self.0.lanes.enter(channel.scope().tenant(), question.session.id).await?;
        let tx = self.0.db.write(&channel.scope()).await?;
        let session = tx.get_locked::<sessions::Entity>(question.session.id).await?;
        let Some(event) = self.still_open(&tx, question).await? else { return Ok(()) };
        let untold = match (event.question.clone(), event.turn_id) {
            (Some(question), _) => Some(question),
            // stopped before it began
            (None, Some(turn)) => tx
                .get::<Turns>(turn)
                .await?
                .filter(|turn| turn.user_message_id.is_none() && turn.ended_at.is_some())
                .map(|turn| turn.input),
            (None, None) => None,
        };
        let mut kept = None;
        if let (Some(session), Some(untold)) = (session, untold) {
            let message = Input::read(&untold)?.question()?;
            kept = Some(append(&tx, &self.0.clock, session, message.into_iter().collect()).await?.0);
        }
        if let (Some(text), true) = (&channel.settings.failure_text, channel.is_active) {
            let outgoing = question.outgoing(text.clone(), None);
            self.send_out(&tx, channel, &question.chat, outgoing).await?;
        }
        let said: String = error.to_string().chars().filter(|c| *c != '\0').take(1000).collect();
        self.end_event(tx, event, EventState::Failed, Some(said)).await?;
        if let Some(session) = kept {
            self.said(&session);
        }
        Ok(())
    }

    /// The event, locked; none if another run was first.
    pub(super) async fn still_open<R>(
        &self,
        tx: &Tx<R>,
        question: &Question,
    ) -> Result<Option<events::Model>> {
        let event = tx.get_locked::<events::Entity>(question.event.id).await?;
        Ok(event.filter(|event| event.state == EventState::Pending))
    }

    /// Ends an event, and lets the one behind it go on.
    async fn end_event(
        &self,
        tx: Tx<loam_db::Tenant>,
        event: events::Model,
        state: EventState,
        error: Option<String>,
    ) -> Result<()> {
        let behind = in_chat(&event).add(events::Column::Id.ne(event.id));
        let mut row = event.into_active_model();
        row.state = Set(state);
        row.error_message = Set(error);
        row.question = Set(None);
        row.updated_at = Set(self.0.clock.now());
        tx.update(row).await?;
        let next = tx.find::<events::Entity>().filter(behind).order_by_asc(events::Column::Id).one().await?;
        // one that is pending has its job already
        if let Some(next) = next.filter(|next| next.state == EventState::Waiting) {
            let job = NewJob::new(REPLY, Reply { event_id: next.id }).attempts(RUNS);
            enqueue(&tx, &self.0.clock, job).await?;
        }
        tx.commit().await?;
        self.0.deliveries.wake();
        Ok(())
    }
}

/// The events of the same chat that have no answer yet.
fn in_chat(event: &events::Model) -> Condition {
    Condition::all()
        .add(events::Column::ChatId.eq(event.chat_id))
        .add(events::Column::State.is_in([EventState::Pending, EventState::Waiting]))
}
