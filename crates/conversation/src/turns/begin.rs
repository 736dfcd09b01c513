//! The start of a turn: its question is stored, and no message of another turn comes between the question and
//! the answer.

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::Tx;
use loam_kernel::{ChatSessionId, MessageId, Result, TurnId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, Set};

use super::entity::{ActiveModel, Column, Entity, Model, TurnState};
use super::event::TurnEvent;
use super::input::Input;
use super::stored::pack_events;
use crate::chat_sessions::entity as sessions;
use crate::messages::append::append;
use crate::turns::Turns;

/// How long a node's lease on a turn lasts without renewal.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// The turns of a session that have not ended, oldest first.
pub(super) async fn open_turns<R>(tx: &Tx<R>, session: ChatSessionId) -> Result<Vec<Model>> {
    let open = tx.find::<Entity>().filter(Column::SessionId.eq(session)).filter(Column::EndedAt.is_null());
    open.order_by_asc(Column::Id).all().await
}

/// A turn to start.
pub(super) struct TurnStart<'a> {
    pub(super) turn: TurnId,
    pub(super) input: &'a Input,
    /// The question, if it is a stored message already.
    pub(super) question: Option<MessageId>,
    pub(super) model: &'a str,
}

impl Turns {
    /// When a lease taken now expires; `None` if there are no other nodes.
    pub(super) fn lease(&self) -> Option<DateTime<Utc>> {
        (!self.0.db.is_embedded()).then(|| self.0.clock.now() + LEASE)
    }

    /// Starts a turn: stores its question and updates its row. The session must be locked.
    pub(super) async fn begin_turn<R>(
        &self,
        tx: &Tx<R>,
        session: sessions::Model,
        start: TurnStart<'_>,
        row: &mut ActiveModel,
    ) -> Result<(sessions::Model, Vec<TurnEvent>)> {
        let TurnStart { turn, input, question, model } = start;
        let (mut session, mut question) = (session, question);
        if question.is_none()
            && let Some(mut message) = input.question()?
        {
            message.turn = Some(turn);
            let (after, written) = append(tx, &self.0.clock, session, vec![message]).await?;
            session = after;
            question = written.first().map(|message| message.id);
            row.parent_id = Set(written.first().and_then(|message| message.parent_id));
        }
        let events = vec![TurnEvent::Started {
            turn,
            session: session.id,
            user_message: question,
            model: model.to_owned(),
        }];
        row.state = Set(TurnState::Running);
        row.user_message_id = Set(question);
        row.events = Set(Some(pack_events(&events)?));
        row.node_id = Set(self.0.node);
        row.started_at = Set(Some(self.0.clock.now()));
        row.lease_until = Set(self.lease());
        Ok((session, events))
    }
}
