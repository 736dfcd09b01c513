//! Turns that nobody runs any more: those that this node left behind when it died, those of nodes that are gone, and those
//! whose client never came back. Each ends with what had come.

use std::time::Duration;

use chrono::TimeDelta;
use loam_db::{System, Tx};
use loam_kernel::{Error, Kind, NodeId, Result, Scope, TenantId};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::begin::{Beginning, open_turns};
use super::entity::{Column, Entity, Model, TurnState};
use super::event::{TurnEvent, unpack_events};
use super::input::Input;
use super::part;
use super::writer::{End, Writer};
use crate::Conversation;

/// How often it is looked whether somebody wants a turn stopped that runs here.
const LOOK: Duration = Duration::from_millis(300);
/// How often leases are renewed, and turns looked for whose lease is over; in looks.
const SWEEP: u32 = 33;
/// Turns in one statement, or ended in one sweep.
const CHUNK: usize = 200;
/// Parts that are older belong to no turn that runs.
const OLD: TimeDelta = TimeDelta::days(2);

impl Conversation {
    /// Ends the turns that this node left behind when it last died; says how many. Call it once what the journal recovered
    /// has been drained, with an id made before the first turn of this run.
    pub async fn interrupt_turns(&self, node: NodeId, start: Uuid) -> Result<u64> {
        let left = Condition::all()
            .add(Column::NodeId.eq(node))
            .add(Column::Id.lt(start))
            .add(Column::State.is_in([TurnState::Queued, TurnState::Running]));
        let mut ended = 0;
        loop {
            let rows = self.left_behind(left.clone()).await?;
            let mut moved = 0;
            // one that waited for its client may have been taken up again by now
            for row in rows.iter().filter(|row| self.0.turns.get(row.id).is_none()) {
                moved += u64::from(self.end_left(row, &End::interrupted()).await?);
            }
            ended += moved;
            if moved == 0 {
                self.leave_to_sweep(&rows).await?;
                break;
            }
        }
        self.forget_parts().await?;
        if ended > 0 {
            tracing::warn!(
                turns = ended,
                "found turns that were under way when this node died; they are marked interrupted"
            );
        }
        Ok(ended)
    }

    /// Renews this node's leases, takes other nodes' wishes to stop, and ends turns whose time is over, until stopped.
    pub async fn watch_turns(self, stop: CancellationToken) {
        let mut looks = 0_u32;
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            looks = looks.wrapping_add(1);
            let looked = async {
                if !self.0.db.is_embedded() {
                    self.take_wishes().await?;
                }
                if looks.is_multiple_of(SWEEP) {
                    self.renew().await?;
                    self.sweep().await?;
                }
                Ok::<_, Error>(())
            };
            if let Err(e) = looked.await {
                tracing::debug!(error = %e, "cannot look after the turns under way");
            }
        }
    }

    /// Stops what somebody asked another node to stop.
    async fn take_wishes(&self) -> Result<()> {
        let live = self.0.turns.all();
        for chunk in live.chunks(CHUNK) {
            let tx = self.system_read().await?;
            let wished = tx
                .find_any::<Entity>()
                .filter(Column::Id.is_in(chunk.iter().map(|live| live.id)))
                .filter(Column::StopRequested.eq(true));
            let wished: Vec<Id> = wished.select_only().column(Column::Id).into().await?;
            for live in chunk.iter().filter(|live| wished.iter().any(|wish| wish.id == live.id)) {
                live.stop.cancel();
            }
        }
        Ok(())
    }

    async fn renew(&self) -> Result<()> {
        let Some(lease) = self.lease() else { return Ok(()) };
        for chunk in self.0.turns.all().chunks(CHUNK) {
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

    /// Ends turns whose lease is over: their node is gone, or their client.
    async fn sweep(&self) -> Result<()> {
        let over =
            Condition::all().add(Column::EndedAt.is_null()).add(Column::LeaseUntil.lt(self.0.clock.now()));
        for row in self.left_behind(over).await? {
            if self.0.turns.get(row.id).is_some() {
                continue;
            }
            let end = match row.state {
                TurnState::RequiresAction => End::failed(&no_results()),
                _ => End::interrupted(),
            };
            if let Err(e) = self.end_left(&row, &end).await {
                tracing::warn!(error = %e, turn.id = %row.id, "a turn that nobody runs could not be ended");
            }
        }
        Ok(())
    }

    /// What waits behind a turn that goes on elsewhere, or for its client, is ended when that has ended.
    async fn leave_to_sweep(&self, rows: &[Model]) -> Result<()> {
        let left = rows.iter().map(|row| row.id).filter(|id| self.0.turns.get(*id).is_none());
        let left: Vec<_> = left.collect();
        if left.is_empty() {
            return Ok(());
        }
        let tx = self.0.db.system_write(&Scope::system(TenantId::NIL, "turns")).await?;
        tx.update_all::<Entity>()
            .set(Column::LeaseUntil, self.0.clock.now())
            .filter(Column::Id.is_in(left))
            .filter(Column::State.eq(TurnState::Queued))
            .exec()
            .await?;
        tx.commit().await
    }

    async fn system_read(&self) -> Result<Tx<System>> {
        self.0.db.system_read(&Scope::system(TenantId::NIL, "turns")).await
    }

    async fn left_behind(&self, which: Condition) -> Result<Vec<Model>> {
        let tx = self.system_read().await?;
        let find = tx.find_any::<Entity>().filter(which).filter(Column::EndedAt.is_null());
        find.order_by_asc(Column::Id).limit(CHUNK as u64).all().await
    }

    /// Ends a turn with what had come. False if it has ended, or if another of its session has to end first.
    async fn end_left(&self, row: &Model, end: &End) -> Result<bool> {
        match self.try_end_left(row, end, false).await {
            // what can't be a message must not keep a session for ever
            Err(e) if !matches!(e.kind(), Kind::Unavailable | Kind::TooMany) => {
                tracing::error!(error = ?e, turn.id = %row.id, "what was left of a turn can't be stored as a message");
                self.try_end_left(row, end, true).await
            }
            done => done,
        }
    }

    async fn try_end_left(&self, row: &Model, end: &End, bare: bool) -> Result<bool> {
        let _lane = self.0.lanes.enter(row.tenant_id, row.session_id).await?;
        let tx = self.0.db.write(&Scope::system(row.tenant_id, "turns")).await?;
        let Some(mut writer) = Writer::open(&tx, &self.0.clock, row.session_id, row.id).await? else {
            return Ok(false);
        };
        if writer.turn.state != row.state || writer.turn.lease_until > row.lease_until {
            return Ok(false);
        }
        if writer.turn.state == TurnState::Queued {
            // its question is kept, in the place where it would have come
            let open = open_turns(&tx, row.session_id).await?;
            if open
                .iter()
                .any(|other| other.id != row.id && (other.id < row.id || other.state != TurnState::Queued))
            {
                return Ok(false);
            }
            let input = Input::read(&row.input)?;
            let model = row.model.clone().unwrap_or_default();
            let beginning =
                Beginning { turn: row.id, input: &input, question: row.user_message_id, model: &model };
            let mut active = writer.turn.clone().into_active_model();
            (writer.session, writer.events) = self.begin(&tx, writer.session, beginning, &mut active).await?;
            writer.turn = tx.update(active).await?;
        }
        let parts = tx.find::<part::Entity>().filter(part::Column::TurnId.eq(row.id));
        for part in parts.order_by_asc(part::Column::Position).all().await? {
            join(&mut writer.events, part.position, unpack_events(&part.events)?);
        }
        tx.delete::<part::Entity>().filter(part::Column::TurnId.eq(row.id)).exec().await?;
        let session = writer.session.clone();
        if bare {
            writer.end_bare(end, None).await?
        } else {
            writer.end(end, None).await?
        };
        let late = row.state == TurnState::RequiresAction;
        self.give_up_waiting(&tx, row.session_id, row.id, late).await?;
        tx.commit().await?;
        self.said(&session);
        self.0.turns.wake(session.id);
        Ok(true)
    }

    /// Deletes parts of turns that were stored, but whose node died before it said so.
    async fn forget_parts(&self) -> Result<()> {
        let tx = self.0.db.system_write(&Scope::system(TenantId::NIL, "turns")).await?;
        let old = part::Column::CreatedAt.lt(self.0.clock.now() - OLD);
        tx.delete_any::<part::Entity>().filter(old).exec().await?;
        tx.commit().await
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Id {
    id: loam_kernel::TurnId,
}

/// Adds a part to the events before it, some of which it may repeat.
pub(super) fn join(events: &mut Vec<TurnEvent>, position: i64, part: Vec<TurnEvent>) {
    let first = usize::try_from(position).unwrap_or(usize::MAX);
    // behind a gap nothing is known to follow
    if let Some(known) = events.len().checked_sub(first) {
        events.extend(part.into_iter().skip(known));
    }
}

fn no_results() -> Error {
    let message = "the results of the client's tools didn't come in time";
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
        join(&mut events, 0, part("abc"));
        join(&mut events, 2, part("cd"));
        join(&mut events, 1, part("b"));
        join(&mut events, 9, part("z"));
        assert_eq!(texts(&events), "abcd");
    }
}
