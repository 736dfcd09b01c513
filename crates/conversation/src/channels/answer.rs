//! The answer to a channel message: one turn of its session. A retried job finds the turn of the earlier
//! attempt.

use std::sync::Arc;
use std::time::Duration;

use loam_kernel::{Error, Kind, Result, Scope, TurnId};
use sea_orm::{IntoActiveModel, Set};

use super::directory::CachedChannel;
use super::reply::Question;
use crate::channels::Channels;
use crate::chat_sessions::access;
use crate::chat_sessions::entity as sessions;
use crate::messages::entity as messages;
use crate::turns::NewTurn;
use crate::turns::entity::{Entity as Turns, Model as Turn, TurnState};
use crate::turns::live::LiveTurn;

/// How often a turn that another run or node executes is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

impl Channels {
    /// Returns the message that answers a channel message: from the turn that an earlier attempt started, or
    /// from a new one.
    pub(super) async fn answer(
        &self,
        channel: &CachedChannel,
        question: &Question,
    ) -> Result<messages::Model> {
        let scope = channel.scope();
        let limit = Duration::from_secs(channel.settings.reply_timeout.into());
        let mut turn = match question.event.turn_id {
            Some(id) => self.await_earlier_turn(&scope, id, limit).await?,
            None => None,
        };
        let mut failure = None;
        // A turn that did not complete is repeated.
        if turn
            .as_ref()
            .is_none_or(|turn| !matches!(turn.state, TurnState::Completed | TurnState::RequiresAction))
        {
            let live = self.create_reply_turn(channel, question).await?;
            if tokio::time::timeout(limit, live.wait_done()).await.is_err() {
                live.stop.cancel();
                live.wait_done().await;
                return Err(timed_out(limit));
            }
            failure = live.take_failure();
            turn = self.0.db.read(&scope).await?.get::<Turns>(live.id).await?;
        }
        let turn = turn.ok_or_else(|| Error::not_found("turn"))?;
        match (turn.state, failure) {
            (TurnState::Completed, _) => self.answer_of(&scope, &turn).await,
            (TurnState::RequiresAction, _) => {
                self.0.turns.stop_turn(&scope, question.session.id, turn.id).await?;
                Err(permanent("client_tools", "the model called a client tool, which a channel can't run"))
            }
            (TurnState::Failed, Some(error)) => Err(error),
            (TurnState::Failed, None) => Err(permanent("turn_failed", turn.error.unwrap_or_default())),
            (TurnState::Stopped, _) => Err(permanent("turn_stopped", "the turn was stopped")),
            (TurnState::Interrupted | TurnState::Queued | TurnState::Running, _) => {
                let message = "the turn was interrupted by a server stop";
                Err(Error::unavailable("turn_interrupted", message, POLL_INTERVAL))
            }
        }
    }

    /// Waits for a turn that an earlier attempt started until it has ended or waits for a client.
    async fn await_earlier_turn(&self, scope: &Scope, id: TurnId, limit: Duration) -> Result<Option<Turn>> {
        let ended = async {
            loop {
                let turn = self.0.db.read(scope).await?.get::<Turns>(id).await?;
                match turn {
                    Some(turn) if matches!(turn.state, TurnState::Queued | TurnState::Running) => {}
                    turn => return Ok(turn),
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        tokio::time::timeout(limit, ended).await.unwrap_or_else(|_| Err(timed_out(limit)))
    }

    /// Creates the answering turn, in the transaction that stores its id in the event.
    async fn create_reply_turn(&self, channel: &CachedChannel, question: &Question) -> Result<Arc<LiveTurn>> {
        let mut scope = channel.scope();
        // The sender's own limits apply too.
        scope.user = question.input.sender;
        self.0.turns.admit(scope.tenant())?;
        let _lock = self.0.session_locks.acquire(scope.tenant(), question.session.id).await?;
        let tx = self.0.db.write(&scope).await?;
        let session = tx.get_locked::<sessions::Entity>(question.session.id).await?;
        let session = session.ok_or_else(access::missing)?;
        let event = self.lock_pending_event(&tx, question).await?;
        let unchanged = event.filter(|event| event.turn_id == question.event.turn_id);
        let event = unchanged.ok_or_else(|| {
            Error::new(Kind::Internal, "answered_elsewhere", "another run is already answering this message")
        })?;
        let new = match event.turn_id {
            None => {
                let before = match session.head_id {
                    Some(id) => tx.get::<messages::Entity>(id).await?,
                    None => None,
                };
                let model = match session.model {
                    Some(_) => None,
                    None => channel.settings.model.clone(),
                };
                NewTurn::question(model, question.input.clone(), before.as_ref())
            }
            Some(id) => NewTurn::repeat(tx.get::<Turns>(id).await?.ok_or_else(|| Error::not_found("turn"))?)?,
        };
        let queued = self.0.turns.queue_turn(&scope, &tx, session, new).await?;
        let mut row = event.into_active_model();
        row.turn_id = Set(Some(queued.live.id));
        row.question = Set(None);
        row.updated_at = Set(self.0.clock.now());
        tx.update(row).await?;
        tx.commit().await?;
        self.0.turns.start_turn(&scope, queued)
    }

    /// The message that a turn produced.
    async fn answer_of(&self, scope: &Scope, turn: &Turn) -> Result<messages::Model> {
        let tx = self.0.db.read(scope).await?;
        let answer = match turn.assistant_message_id {
            Some(id) => tx.get::<messages::Entity>(id).await?,
            None => None,
        };
        let answer = answer.filter(|answer| answer.deleted_at.is_none() && !answer.content.trim().is_empty());
        answer.ok_or_else(|| permanent("no_answer", "the model's answer contains no text"))
    }
}

fn timed_out(limit: Duration) -> Error {
    Error::new(Kind::Timeout, "reply_timeout", format!("no answer within {limit:?}"))
}

/// An error that a retry can't fix.
fn permanent(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(Kind::Conflict, code, message.into())
}
