//! The answer to a message of a channel: a turn of its session, made once, and found again by whoever runs the job anew.

use std::sync::Arc;
use std::time::Duration;

use loam_kernel::{Error, Kind, Result, Scope, TurnId};
use sea_orm::{IntoActiveModel, Set};

use super::directory::Known;
use super::reply::Question;
use crate::Conversation;
use crate::chat_sessions::access;
use crate::chat_sessions::entity as sessions;
use crate::messages::entity as messages;
use crate::turns::New;
use crate::turns::entity::{Entity as Turns, Model as Turn, TurnState};
use crate::turns::live::Live;

/// How often it is looked what a turn that runs elsewhere has come to.
const LOOK: Duration = Duration::from_millis(250);

impl Conversation {
    /// The message that answers a channel's: of the turn that an earlier run left, or of a new one.
    pub(super) async fn answer(&self, channel: &Known, question: &Question) -> Result<messages::Model> {
        let scope = channel.scope();
        let limit = Duration::from_secs(channel.settings.reply_timeout.into());
        let mut turn = match question.event.turn_id {
            Some(id) => self.left_turn(&scope, id, limit).await?,
            None => None,
        };
        let mut failure = None;
        // one that broke off is asked again
        if turn
            .as_ref()
            .is_none_or(|turn| !matches!(turn.state, TurnState::Completed | TurnState::RequiresAction))
        {
            let live = self.turn_for(channel, question).await?;
            if tokio::time::timeout(limit, live.over()).await.is_err() {
                live.stop.cancel();
                live.over().await;
                return Err(late(limit));
            }
            failure = live.failure();
            turn = self.0.db.read(&scope).await?.get::<Turns>(live.id).await?;
        }
        let turn = turn.ok_or_else(|| Error::not_found("turn"))?;
        match (turn.state, failure) {
            (TurnState::Completed, _) => self.said_by(&scope, &turn).await,
            (TurnState::RequiresAction, _) => {
                self.stop_turn(&scope, question.session.id, turn.id).await?;
                Err(never("client_tools", "the model wants a tool of the client's, which a channel has not"))
            }
            (TurnState::Failed, Some(error)) => Err(error),
            (TurnState::Failed, None) => Err(never("turn_failed", turn.error.unwrap_or_default())),
            (TurnState::Stopped, _) => Err(never("turn_stopped", "somebody stopped the answer")),
            (TurnState::Interrupted | TurnState::Queued | TurnState::Running, _) => {
                let message = "the answer was broken off by the server's end";
                Err(Error::unavailable("turn_interrupted", message, LOOK))
            }
        }
    }

    /// A turn that an earlier run made, when it has ended or waits for a client.
    async fn left_turn(&self, scope: &Scope, id: TurnId, limit: Duration) -> Result<Option<Turn>> {
        let ended = async {
            loop {
                let turn = self.0.db.read(scope).await?.get::<Turns>(id).await?;
                match turn {
                    Some(turn) if matches!(turn.state, TurnState::Queued | TurnState::Running) => {}
                    turn => return Ok(turn),
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(limit, ended).await.unwrap_or_else(|_| Err(late(limit)))
    }

    /// Makes the turn that answers: in the transaction that writes it down in the event.
    async fn turn_for(&self, channel: &Known, question: &Question) -> Result<Arc<Live>> {
        let mut scope = channel.scope();
        // the sender's own limits hold too
        scope.user = question.input.sender;
        self.0.turns.admit(scope.tenant())?;
        let _lane = self.0.lanes.enter(scope.tenant(), question.session.id).await?;
        let tx = self.0.db.write(&scope).await?;
        let session = tx.get_locked::<sessions::Entity>(question.session.id).await?;
        let session = session.ok_or_else(access::missing)?;
        let event = self.still_open(&tx, question).await?;
        let unchanged = event.filter(|event| event.turn_id == question.event.turn_id);
        let event = unchanged.ok_or_else(|| {
            Error::new(Kind::Internal, "answered_elsewhere", "another run answers this message by now")
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
                New::asking(model, question.input.clone(), before.as_ref())
            }
            Some(id) => New::again(tx.get::<Turns>(id).await?.ok_or_else(|| Error::not_found("turn"))?)?,
        };
        let queued = self.queue_turn(&scope, &tx, session, new).await?;
        let mut row = event.into_active_model();
        row.turn_id = Set(Some(queued.live.id));
        row.question = Set(None);
        row.updated_at = Set(self.0.clock.now());
        tx.update(row).await?;
        tx.commit().await?;
        self.start_turn(&scope, queued)
    }

    /// What a turn said.
    async fn said_by(&self, scope: &Scope, turn: &Turn) -> Result<messages::Model> {
        let tx = self.0.db.read(scope).await?;
        let answer = match turn.assistant_message_id {
            Some(id) => tx.get::<messages::Entity>(id).await?,
            None => None,
        };
        let answer = answer.filter(|answer| answer.deleted_at.is_none() && !answer.content.trim().is_empty());
        answer.ok_or_else(|| never("no_answer", "the model's answer holds no text"))
    }
}

fn late(limit: Duration) -> Error {
    Error::new(Kind::Timeout, "reply_timeout", format!("no answer came within {limit:?}"))
}

/// Asking again wouldn't help.
fn never(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(Kind::Conflict, code, message.into())
}
