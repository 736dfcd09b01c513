//! Ends abandoned turns: those that this node left when it crashed, those of dead nodes, and those whose
//! client sent no results. Each ends with its partial output.

use std::time::Duration;

use chrono::TimeDelta;
use loam_db::{System, Tx};
use loam_kernel::{Error, Kind, NodeId, Result, Scope, TenantId};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::begin::{TurnStart, open_turns};
use super::entity::{Column, Entity, Model, TurnState};
use super::event::TurnEvent;
use super::input::Input;
use super::part;
use super::stored::unpack_events;
use super::writer::{End, Writer};
use crate::turns::Turns;

/// How often stop requests from other nodes are polled.
const POLL_INTERVAL: Duration = Duration::from_millis(300);
/// Number of polls between two rounds of renewing leases and ending expired turns.
const POLLS_PER_SWEEP: u32 = 33;
/// Turns per statement, and per round.
const CHUNK: usize = 200;
/// Older parts belong to no running turn.
const MAX_PART_AGE: TimeDelta = TimeDelta::days(2);

impl Turns {
    /// Ends the turns that this node left when it crashed. Returns their number. Call it once what the
    /// journal recovered has been drained, with an id created before the first turn of this run.
    pub(crate) async fn interrupt_turns(&self, node: NodeId, start: Uuid) -> Result<u64> {
        let left = Condition::all()
            .add(Column::NodeId.eq(node))
            .add(Column::Id.lt(start))
            .add(Column::State.is_in([TurnState::Queued, TurnState::Running]));
        let mut ended = 0;
        loop {
            let rows = self.find_open(left.clone()).await?;
            let mut moved = 0;
            // A turn that waited for its client may have been resumed by now.
            for row in rows.iter().filter(|row| self.0.live.get(row.id).is_none()) {
                moved += u64::from(self.end_abandoned(row, &End::interrupted()).await?);
            }
            ended += moved;
            if moved == 0 {
                self.expire_leases(&rows).await?;
                break;
            }
        }
        self.delete_stale_parts().await?;
        if ended > 0 {
            tracing::warn!(
                turns = ended,
                "ended turns that were in progress when this node crashed, as interrupted"
            );
        }
        Ok(ended)
    }

    /// Renews this node's leases, applies stop requests of other nodes, and ends expired turns, until
    /// stopped.
    pub(crate) async fn watch_turns(self, stop: CancellationToken) {
        let mut polls = 0_u32;
        while stop.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_some() {
            polls = polls.wrapping_add(1);
            let round = async {
                if !self.0.db.is_embedded() {
                    self.apply_stop_requests().await?;
                }
                if polls.is_multiple_of(POLLS_PER_SWEEP) {
                    self.renew().await?;
                    self.end_expired().await?;
                }
                Ok::<_, Error>(())
            };
            if let Err(e) = round.await {
                tracing::debug!(error = %e, "cannot renew the leases of turns or end expired turns");
            }
        }
    }

    /// Stops local turns for which another node requested a stop.
    async fn apply_stop_requests(&self) -> Result<()> {
        let live = self.0.live.all();
        for chunk in live.chunks(CHUNK) {
            let tx = self.system_read().await?;
            let requested = tx
                .find_any::<Entity>()
                .filter(Column::Id.is_in(chunk.iter().map(|live| live.id)))
                .filter(Column::StopRequested.eq(true));
            let requested: Vec<Id> = requested.select_only().column(Column::Id).into().await?;
            for live in chunk.iter().filter(|live| requested.iter().any(|row| row.id == live.id)) {
                live.stop.cancel();
            }
        }
        Ok(())
    }

    async fn renew(&self) -> Result<()> {
        let Some(lease) = self.lease() else { return Ok(()) };
        for chunk in self.0.live.all().chunks(CHUNK) {
            let tx = self.0.db.system_write(&Scope::system(TenantId::NIL, "turns")).await?;
            tx.update_all::<Entity>()
                .set(Column::LeaseUntil, lease)
                .filter(Column::Id.is_in(chunk.iter().map(|live| live.id)))
                .filter(Column::NodeId.eq(self.0.node))
                .filter(Column::State.is_in([TurnState::Queued, TurnState::Running]))
                .exec()
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Ends turns whose lease has expired: their node or their client is gone.
    async fn end_expired(&self) -> Result<()> {
        let over =
            Condition::all().add(Column::EndedAt.is_null()).add(Column::LeaseUntil.lt(self.0.clock.now()));
        for row in self.find_open(over).await? {
            if self.0.live.get(row.id).is_some() {
                continue;
            }
            let end = match row.state {
                TurnState::RequiresAction => End::failed(&no_results()),
                _ => End::interrupted(),
            };
            if let Err(e) = self.end_abandoned(&row, &end).await {
                tracing::warn!(error = %e, turn.id = %row.id, "an abandoned turn could not be ended");
            }
        }
        Ok(())
    }

    /// Expires the leases of queued turns behind one that runs elsewhere or waits for its client: they end
    /// after that one.
    async fn expire_leases(&self, rows: &[Model]) -> Result<()> {
        let abandoned = rows.iter().map(|row| row.id).filter(|id| self.0.live.get(*id).is_none());
        let abandoned: Vec<_> = abandoned.collect();
        if abandoned.is_empty() {
            return Ok(());
        }
        let tx = self.0.db.system_write(&Scope::system(TenantId::NIL, "turns")).await?;
        tx.update_all::<Entity>()
            .set(Column::LeaseUntil, self.0.clock.now())
            .filter(Column::Id.is_in(abandoned))
            .filter(Column::State.eq(TurnState::Queued))
            .exec()
            .await?;
        tx.commit().await
    }

    async fn system_read(&self) -> Result<Tx<System>> {
        self.0.db.system_read(&Scope::system(TenantId::NIL, "turns")).await
    }

    async fn find_open(&self, which: Condition) -> Result<Vec<Model>> {
        let tx = self.system_read().await?;
        let find = tx.find_any::<Entity>().filter(which).filter(Column::EndedAt.is_null());
        find.order_by_asc(Column::Id).limit(CHUNK as u64).all().await
    }

    /// Ends a turn with its partial output. False if it has ended, or if an earlier turn of its session has
    /// to end first.
    async fn end_abandoned(&self, row: &Model, end: &End) -> Result<bool> {
        match self.try_end_abandoned(row, end, false).await {
            // Output that can't be stored as a message must not block the session forever.
            Err(e) if !matches!(e.kind(), Kind::Unavailable | Kind::TooMany) => {
                tracing::error!(error = ?e, turn.id = %row.id, "the output of an abandoned turn can't be stored as a message");
                self.try_end_abandoned(row, end, true).await
            }
            done => done,
        }
    }

    async fn try_end_abandoned(&self, row: &Model, end: &End, without_message: bool) -> Result<bool> {
        let _lock = self.0.session_locks.acquire(row.tenant_id, row.session_id).await?;
        let tx = self.0.db.write(&Scope::system(row.tenant_id, "turns")).await?;
        let Some(mut writer) = Writer::open(&tx, &self.0.clock, row.session_id, row.id).await? else {
            return Ok(false);
        };
        if writer.turn.state != row.state || writer.turn.lease_until > row.lease_until {
            return Ok(false);
        }
        if writer.turn.state == TurnState::Queued {
            // The question is stored at the position where the turn would have started.
            let open = open_turns(&tx, row.session_id).await?;
            if open
                .iter()
                .any(|other| other.id != row.id && (other.id < row.id || other.state != TurnState::Queued))
            {
                return Ok(false);
            }
            let input = Input::read(&row.input)?;
            let model = row.model.clone().unwrap_or_default();
            let start =
                TurnStart { turn: row.id, input: &input, question: row.user_message_id, model: &model };
            let mut active = writer.turn.clone().into_active_model();
            let (session, events) = self.begin_turn(&tx, writer.session, start, &mut active).await?;
            (writer.session, writer.events) = (session, events.into());
            writer.turn = tx.update(active).await?;
        }
        let parts = tx.find::<part::Entity>().filter(part::Column::TurnId.eq(row.id));
        let mut events = writer.events.into_events();
        for part in parts.order_by_asc(part::Column::Position).all().await? {
            merge_part(&mut events, part.position, unpack_events(&part.events)?);
        }
        writer.events = events.into();
        tx.delete::<part::Entity>().filter(part::Column::TurnId.eq(row.id)).exec().await?;
        let session = writer.session.clone();
        if without_message {
            writer.end_without_message(end, None).await?
        } else {
            writer.end(end, None).await?
        };
        let timed_out = row.state == TurnState::RequiresAction;
        self.0.tools.end_pending_calls(&tx, row.session_id, row.id, timed_out).await?;
        tx.commit().await?;
        self.0.messages.notify_changed(&session);
        self.0.live.wake(session.id);
        Ok(true)
    }

    /// Deletes parts of stored turns whose node crashed before it marked them as stored.
    async fn delete_stale_parts(&self) -> Result<()> {
        let tx = self.0.db.system_write(&Scope::system(TenantId::NIL, "turns")).await?;
        let old = part::Column::CreatedAt.lt(self.0.clock.now() - MAX_PART_AGE);
        tx.delete_any::<part::Entity>().filter(old).exec().await?;
        tx.commit().await
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Id {
    id: loam_kernel::TurnId,
}

/// Appends a part to earlier events, which it may overlap.
pub(super) fn merge_part(events: &mut Vec<TurnEvent>, position: i64, part: Vec<TurnEvent>) {
    let first = usize::try_from(position).unwrap_or(usize::MAX);
    // Events after a gap are ignored.
    if let Some(overlap) = events.len().checked_sub(first) {
        events.extend(part.into_iter().skip(overlap));
    }
}

fn no_results() -> Error {
    let message = "the tool results were not received in time";
    Error::new(Kind::Timeout, "tool_results_late", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(events: &[TurnEvent]) -> String {
        let text = |event: &TurnEvent| match event {
            TurnEvent::Delta(text) => text.clone(),
            _ => "?".to_owned(),
        };
        events.iter().map(text).collect()
    }

    #[test]
    fn parts_that_overlap_come_to_one_and_a_gap_ends_it() {
        let part = |text: &str| text.chars().map(|c| TurnEvent::Delta(c.into())).collect::<Vec<_>>();
        let mut events = part("ab");
        merge_part(&mut events, 0, part("abc"));
        merge_part(&mut events, 2, part("cd"));
        merge_part(&mut events, 1, part("b"));
        merge_part(&mut events, 9, part("z"));
        assert_eq!(texts(&events), "abcd");
    }
}
