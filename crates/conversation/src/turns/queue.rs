//! Waits until earlier turns of the session have ended.

use std::time::Duration;

use loam_kernel::{Kind, Result, Scope};
use sea_orm::{IntoActiveModel, Set};

use super::begin::{TurnStart, open_turns};
use super::entity::{Model, TurnState};
use super::event::TurnEvent;
use super::input::Input;
use super::live::LiveTurn;
use super::writer::End;
use crate::chat_sessions::entity as sessions;
use crate::chat_sessions::update::require_active;
use crate::turns::Turns;

/// How often a turn that waits for another node's turn polls.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// The same if an earlier turn of this node will wake it.
const FALLBACK_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// A turn that has started.
pub(super) struct StartedTurn {
    pub(super) session: sessions::Model,
    pub(super) turn: Model,
    pub(super) events: Vec<TurnEvent>,
}

/// The result of polling the queue.
enum QueuePoll {
    Started(Box<StartedTurn>),
    Wait,
    Ended(End),
    /// It has ended already, or its session was deleted.
    Removed,
}

impl Turns {
    /// Waits until a turn can start, and starts it. Otherwise returns how it ends; `None` if it has ended
    /// already.
    pub(super) async fn queue(&self, scope: &Scope, live: &LiveTurn) -> Result<StartedTurn, Option<End>> {
        loop {
            match self.poll_queue(scope, live).await {
                Ok(QueuePoll::Started(started)) => return Ok(*started),
                Ok(QueuePoll::Ended(end)) => return Err(Some(end)),
                Ok(QueuePoll::Removed) => return Err(None),
                Ok(QueuePoll::Wait) => {}
                // The database is unavailable or the session is busy: poll again.
                Err(e) if matches!(e.kind(), Kind::Unavailable | Kind::TooMany) => {}
                Err(e) => {
                    tracing::error!(error = ?e, turn.id = %live.id, "a turn could not start");
                    return Err(Some(End::failed(&e)));
                }
            }
            let pause = if self.0.live.is_first(live) { POLL_INTERVAL } else { FALLBACK_POLL_INTERVAL };
            tokio::select! {
                () = live.stop.cancelled() => return Err(Some(End::stopped())),
                () = self.0.live.shutting_down() => return Err(Some(End::interrupted())),
                () = live.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn poll_queue(&self, scope: &Scope, live: &LiveTurn) -> Result<QueuePoll> {
        // Checked without a lock first: mostly an earlier turn is still open.
        let tx = self.0.db.read(scope).await?;
        if open_turns(&tx, live.session).await?.first().is_some_and(|first| first.id != live.id) {
            return Ok(QueuePoll::Wait);
        }
        drop(tx);
        let _lock = self.0.session_locks.acquire(scope.tenant(), live.session).await?;
        let tx = self.0.db.write(scope).await?;
        let Some(session) = tx.get_locked::<sessions::Entity>(live.session).await? else {
            return Ok(QueuePoll::Removed);
        };
        let open = open_turns(&tx, live.session).await?;
        let Some(turn) = open.iter().find(|turn| turn.id == live.id) else { return Ok(QueuePoll::Removed) };
        if turn.stop_requested {
            return Ok(QueuePoll::Ended(End::stopped()));
        }
        // A later turn may have started already if the clocks of two nodes differ.
        let others = open.iter().filter(|other| other.id != live.id);
        if others.into_iter().any(|other| other.id < live.id || other.state != TurnState::Queued) {
            return Ok(QueuePoll::Wait);
        }
        if let Err(e) = require_active(&session) {
            return Ok(QueuePoll::Ended(End::failed(&e)));
        }
        let input = Input::read(&turn.input)?;
        let model = turn.model.clone().unwrap_or_default();
        let start = TurnStart { turn: turn.id, input: &input, question: turn.user_message_id, model: &model };
        let mut row = turn.clone().into_active_model();
        let (session, events) = self.begin_turn(&tx, session, start, &mut row).await?;
        row.updated_at = Set(self.0.clock.now());
        let turn = tx.update(row).await?;
        tx.commit().await?;
        self.0.messages.notify_changed(&session);
        Ok(QueuePoll::Started(Box::new(StartedTurn { session, turn, events })))
    }
}
