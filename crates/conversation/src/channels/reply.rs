//! Answers a received message in a durable job.
//!
//! Messages of one chat are answered one after another, each by a turn of the session. A message is answered
//! once: its event stores the turn that answers it, the delivery and the final state of the event are
//! committed together, and an event in a final state is skipped.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::Tx;
use loam_jobs::{Handler, JobContext, NewJob, enqueue, read_payload};
use loam_kernel::{ChannelEventId, Error, Kind, MessageId, Result, Scope};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, Set};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chats;
use super::directory::CachedChannel;
use super::events::{self, EventState};
use super::outgoing::Outgoing;
use crate::channels::Channels;
use crate::chat_sessions::entity as sessions;
use crate::messages::append::append;
use crate::messages::entity as messages;
use crate::turns::Input;
use crate::turns::entity::Entity as Turns;

pub(super) const REPLY: &str = "channels.reply";
/// Maximum number of attempts to answer a message.
pub(super) const MAX_ATTEMPTS: u16 = 5;
/// How long an unanswered message may block later messages of its chat. Normally it ends earlier, unless its
/// job was removed.
const MAX_BLOCKING: TimeDelta = TimeDelta::hours(1);

#[derive(Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) event_id: ChannelEventId,
}

/// Answers received messages.
pub(crate) struct ReplyHandler(pub(crate) Channels);

/// A message to answer.
pub(super) struct Question {
    pub(super) event: events::Model,
    pub(super) chat: chats::Model,
    pub(super) session: sessions::Model,
    /// Content and sender of the message.
    pub(super) input: Input,
}

impl Question {
    /// The delivery of an answer to the chat that the message came from.
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
impl Handler for ReplyHandler {
    fn kind(&self) -> &'static str {
        REPLY
    }

    fn waits(&self) -> bool {
        true
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let Reply { event_id } = read_payload(payload)?;
        let channels = &self.0;
        let Some(question) = channels.begin_reply(&job.scope(), event_id).await? else { return Ok(()) };
        let Some(channel) = channels.0.directory.get(question.event.channel_id).await? else {
            return Ok(());
        };
        let answer = match channels.check_active(&channel) {
            Ok(()) => channels.answer(&channel, &question).await,
            Err(e) => Err(e),
        };
        match answer {
            Ok(answer) => channels.end_reply(&channel, &question, &answer).await,
            Err(e) if is_retryable(&e) && job.attempt < job.max_attempts => Err(e),
            Err(e) => {
                tracing::error!(channel.id = %channel.id, session.id = %question.session.id, error = %e, "a message was not answered");
                channels.fail_reply(&channel, &question, &e).await
            }
        }
    }
}

/// Whether a retry may succeed.
fn is_retryable(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::TooMany | Kind::Unavailable | Kind::BadGateway | Kind::Timeout | Kind::Internal
    )
}

impl Channels {
    /// The message to answer now; `None` if it has been answered or must wait.
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
        let earlier = in_chat(&event)
            .add(events::Column::Id.lt(id))
            .add(events::Column::CreatedAt.gt(now - MAX_BLOCKING));
        let find = tx.find::<events::Entity>().filter(earlier).order_by_asc(events::Column::Id);
        // Locked, so that either the end of the earlier event sees this one waiting, or this one sees that it
        // has ended.
        if find.locked().one().await?.is_some() {
            self.set_state(&tx, event, EventState::Waiting, now).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let event = self.set_state(&tx, event, EventState::Pending, now).await?;
        let input_json = match (event.question.clone(), event.turn_id) {
            (Some(question), _) => Some(question),
            (None, Some(turn)) => tx.get::<Turns>(turn).await?.map(|turn| turn.input.0),
            (None, None) => None,
        };
        let input = input_json.as_ref().map(Input::read).transpose()?;
        // `None` while its turn has not started.
        let message = tx.get::<messages::Entity>(message).await?;
        let not_deleted = message.is_none_or(|message| message.deleted_at.is_none());
        let chat = tx.get::<chats::Entity>(chat).await?;
        let session = tx.get::<sessions::Entity>(session).await?;
        let (Some(chat), Some(session), Some(input), true) = (chat, session, input, not_deleted) else {
            let reason = "the message, or its session, was deleted before it was answered".to_owned();
            self.end_event(tx, event, EventState::Ignored, Some(reason)).await?;
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
    async fn end_reply(
        &self,
        channel: &CachedChannel,
        question: &Question,
        answer: &messages::Model,
    ) -> Result<()> {
        let tx = self.0.db.write(&channel.scope()).await?;
        let Some(event) = self.lock_pending_event(&tx, question).await? else { return Ok(()) };
        let outgoing = question.outgoing(answer.content.clone(), Some(answer.id));
        self.enqueue_deliveries(&tx, channel, &question.chat, outgoing).await?;
        self.end_event(tx, event, EventState::Answered, None).await
    }

    /// Sends the channel's failure text, if it has one. A message that no turn has stored is stored anyway.
    async fn fail_reply(&self, channel: &CachedChannel, question: &Question, error: &Error) -> Result<()> {
        let _lock = self.0.session_locks.acquire(channel.scope().tenant(), question.session.id).await?;
        let tx = self.0.db.write(&channel.scope()).await?;
        let session = tx.get_locked::<sessions::Entity>(question.session.id).await?;
        let Some(event) = self.lock_pending_event(&tx, question).await? else { return Ok(()) };
        let unstored = match (event.question.clone(), event.turn_id) {
            (Some(question), _) => Some(question),
            // Stopped before it started.
            (None, Some(turn)) => tx
                .get::<Turns>(turn)
                .await?
                .filter(|turn| turn.user_message_id.is_none() && turn.ended_at.is_some())
                .map(|turn| turn.input.0),
            (None, None) => None,
        };
        let mut updated = None;
        if let (Some(session), Some(unstored)) = (session, unstored) {
            let message = Input::read(&unstored)?.question()?;
            updated = Some(append(&tx, &self.0.clock, session, message.into_iter().collect()).await?.0);
        }
        if let (Some(text), true) = (&channel.settings.failure_text, channel.is_active) {
            let outgoing = question.outgoing(text.clone(), None);
            self.enqueue_deliveries(&tx, channel, &question.chat, outgoing).await?;
        }
        let text: String = error.to_string().chars().filter(|c| *c != '\0').take(1000).collect();
        self.end_event(tx, event, EventState::Failed, Some(text)).await?;
        if let Some(session) = updated {
            self.0.messages.notify_changed(&session);
        }
        Ok(())
    }

    /// The event, locked; `None` if another run has ended it.
    pub(super) async fn lock_pending_event<R>(
        &self,
        tx: &Tx<R>,
        question: &Question,
    ) -> Result<Option<events::Model>> {
        let event = tx.get_locked::<events::Entity>(question.event.id).await?;
        Ok(event.filter(|event| event.state == EventState::Pending))
    }

    /// Ends an event, and schedules the next one of the chat.
    async fn end_event(
        &self,
        tx: Tx<loam_db::Tenant>,
        event: events::Model,
        state: EventState,
        error: Option<String>,
    ) -> Result<()> {
        let later = in_chat(&event).add(events::Column::Id.ne(event.id));
        let mut row = event.into_active_model();
        row.state = Set(state);
        row.error_message = Set(error);
        row.question = Set(None);
        row.updated_at = Set(self.0.clock.now());
        tx.update(row).await?;
        let next = tx.find::<events::Entity>().filter(later).order_by_asc(events::Column::Id).one().await?;
        // A pending event already has its job.
        if let Some(next) = next.filter(|next| next.state == EventState::Waiting) {
            let job = NewJob::new(REPLY, Reply { event_id: next.id }).attempts(MAX_ATTEMPTS);
            enqueue(&tx, &self.0.clock, job).await?;
        }
        tx.commit().await?;
        self.0.deliveries.wake();
        Ok(())
    }
}

/// Events of the same chat that have not been answered.
fn in_chat(event: &events::Model) -> Condition {
    Condition::all()
        .add(events::Column::ChatId.eq(event.chat_id))
        .add(events::Column::State.is_in([EventState::Pending, EventState::Waiting]))
}
