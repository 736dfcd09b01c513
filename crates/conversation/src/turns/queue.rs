//! Waiting until the turns before have ended.

use std::time::Duration;

use loam_kernel::{Kind, Result, Scope};
use sea_orm::{IntoActiveModel, Set};

use super::begin::{Beginning, open_turns};
use super::entity::{Model, TurnState};
use super::event::TurnEvent;
use super::input::Input;
use super::live::Live;
use super::writer::End;
use crate::Conversation;
use crate::chat_sessions::entity as sessions;
use crate::chat_sessions::update::require_active;

/// How often it is looked whether a turn of another node has ended.
const LOOK: Duration = Duration::from_millis(250);
/// The same for a turn behind another one of this node, which will wake it.
const LOOK_ANYHOW: Duration = Duration::from_secs(5);

/// A turn whose turn it is.
pub(super) struct Begun {
    pub(super) session: sessions::Model,
    pub(super) turn: Model,
    pub(super) events: Vec<TurnEvent>,
}

/// What a look at the queue came to.
enum Look {
    Begun(Box<Begun>),
    Wait,
    Over(End),
    /// Somebody ended it, or the session is gone.
    Gone,
}

impl Conversation {
    /// Waits until it is a turn's turn, and begins it. Otherwise how it ends; none if it has ended already.
    pub(super) async fn queue(&self, scope: &Scope, live: &Live) -> Result<Begun, Option<End>> {
        loop {
            match self.look(scope, live).await {
                Ok(Look::Begun(begun)) => return Ok(*begun),
                Ok(Look::Over(end)) => return Err(Some(end)),
                Ok(Look::Gone) => return Err(None),
                Ok(Look::Wait) => {}
                // the database is away, or too many write to the session: it is looked again
                Err(e) if matches!(e.kind(), Kind::Unavailable | Kind::TooMany) => {}
                Err(e) => {
                    tracing::error!(error = ?e, turn.id = %live.id, "a turn could not begin");
                    return Err(Some(End::failed(&e)));
                }
            }
            let pause = if self.0.turns.is_first(live) { LOOK } else { LOOK_ANYHOW };
            tokio::select! {
                () = live.stop.cancelled() => return Err(Some(End::stopped())),
                () = self.0.turns.ending() => return Err(Some(End::interrupted())),
                () = live.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn look(&self, scope: &Scope, live: &Live) -> Result<Look> {
        // a look without a lock first: most find that it is not their turn yet
        let tx = self.0.db.read(scope).await?;
        if open_turns(&tx, live.session).await?.first().is_some_and(|first| first.id != live.id) {
            return Ok(Look::Wait);
        }
        drop(tx);
        let _lane = self.0.lanes.enter(scope.tenant(), live.session).await?;
        let tx = self.0.db.write(scope).await?;
        let Some(session) = tx.get_locked::<sessions::Entity>(live.session).await? else {
            return Ok(Look::Gone);
        };
        let open = open_turns(&tx, live.session).await?;
        let Some(turn) = open.iter().find(|turn| turn.id == live.id) else { return Ok(Look::Gone) };
        if turn.stop_requested {
            return Ok(Look::Over(End::stopped()));
        }
        // one that came later may have begun already where the clocks of two nodes differ
        let others = open.iter().filter(|other| other.id != live.id);
        if others.into_iter().any(|other| other.id < live.id || other.state != TurnState::Queued) {
            return Ok(Look::Wait);
        }
        if let Err(e) = require_active(&session) {
            return Ok(Look::Over(End::failed(&e)));
        }
        let input = Input::read(&turn.input)?;
        let model = turn.model.clone().unwrap_or_default();
        let beginning =
            Beginning { turn: turn.id, input: &input, question: turn.user_message_id, model: &model };
        let mut row = turn.clone().into_active_model();
        let (session, events) = self.begin(&tx, session, beginning, &mut row).await?;
        row.updated_at = Set(self.0.clock.now());
        let turn = tx.update(row).await?;
        tx.commit().await?;
        self.said(&session);
        Ok(Look::Begun(Box::new(Begun { session, turn, events })))
    }
}
