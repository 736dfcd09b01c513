//! Drains events of running turns from the journal into `turn_parts`, for readers on other nodes and for
//! recovery.
//!
//! A stored turn has its events in its row; the sink skips what the journal still has of it.

use std::collections::HashMap;

use async_trait::async_trait;
use loam_db::{Bulk, Column, OnConflict, System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, Result, TenantId, TurnId};
use loam_platform::drain::Sink;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::event::TurnEvent;
use super::frames::{EVENTS_KIND, EventsFrame, STORED_KIND, StoredFrame};
use super::part;
use super::stored::pack_events;

/// Turns per statement.
const CHUNK: usize = 100;

/// Drains events of turns.
pub(crate) struct TurnSink {
    clock: Clock,
}

impl TurnSink {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

/// Consecutive events.
struct EventRun {
    first: u32,
    events: Vec<TurnEvent>,
}

#[async_trait]
impl Sink for TurnSink {
    fn takes(&self, kind: u8) -> bool {
        matches!(kind, EVENTS_KIND | STORED_KIND)
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        match frame.kind {
            EVENTS_KIND => EventsFrame::decode(&frame.payload).map_or(TenantId::NIL, |part| part.tenant),
            _ => StoredFrame::decode(&frame.payload).map_or(TenantId::NIL, |stored| stored.tenant),
        }
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let (runs, stored) = collect_runs(frames)?;
        let turns: Vec<TurnId> = runs.keys().map(|(_, turn)| *turn).collect();
        self.insert(tx, runs).await?;
        // Parts of a turn that was deleted since are not needed.
        for chunk in turns.chunks(CHUNK) {
            let turn_missing = Expr::cust(
                "NOT EXISTS (SELECT 1 FROM turns WHERE turns.tenant_id = turn_parts.tenant_id AND turns.id = turn_parts.turn_id)",
            );
            let parts =
                tx.delete_any::<part::Entity>().filter(part::Column::TurnId.is_in(chunk.iter().copied()));
            parts.filter(turn_missing).exec().await?;
        }
        for chunk in stored.chunks(CHUNK) {
            let any = chunk.iter().fold(Condition::any(), |any, stored| {
                any.add(
                    Condition::all()
                        .add(part::Column::TenantId.eq(stored.tenant))
                        .add(part::Column::TurnId.eq(stored.turn))
                        .add(part::Column::Position.lt(i64::from(stored.up_to))),
                )
            });
            tx.delete_any::<part::Entity>().filter(any).exec().await?;
        }
        Ok(())
    }
}

type EventRuns = HashMap<(TenantId, TurnId), Vec<EventRun>>;

/// The events to store, and the turns whose events are stored already.
fn collect_runs(frames: &[Frame]) -> Result<(EventRuns, Vec<StoredFrame>)> {
    let (mut runs, mut all) = (EventRuns::new(), Vec::new());
    for frame in frames {
        if frame.kind == STORED_KIND {
            let stored = StoredFrame::decode(&frame.payload)?;
            // Frames are in order: earlier events are in the row.
            runs.remove(&(stored.tenant, stored.turn));
            all.push(stored);
            continue;
        }
        let part = EventsFrame::decode(&frame.payload)?;
        let own = runs.entry((part.tenant, part.turn)).or_default();
        match own.last_mut().filter(|run| run.first as usize + run.events.len() == part.first as usize) {
            Some(run) => run.events.extend(part.events.into_owned()),
            None => own.push(EventRun { first: part.first, events: part.events.into_owned() }),
        }
    }
    Ok((runs, all))
}

impl TurnSink {
    async fn insert(&self, tx: &Tx<System>, runs: EventRuns) -> Result<()> {
        let (mut tenants, mut turns, mut positions, mut packed) = (vec![], vec![], vec![], vec![]);
        for ((tenant, turn), runs) in runs {
            for run in runs {
                tenants.push(Some(tenant.0));
                turns.push(Some(turn.0));
                positions.push(Some(i64::from(run.first)));
                packed.push(Some(pack_events(&run.events)?));
            }
        }
        let ids = tenants.iter().map(|_| Some(self.clock.id::<Uuid>())).collect();
        let now = vec![Some(self.clock.now()); tenants.len()];
        let columns = vec![
            ("tenant_id", Column::Uuid(tenants)),
            ("id", Column::Uuid(ids)),
            ("turn_id", Column::Uuid(turns)),
            ("position", Column::BigInt(positions)),
            ("events", Column::Bytes(packed)),
            ("created_at", Column::Time(now)),
        ];
        tx.bulk(Bulk::of::<super::part::Entity>(columns, OnConflict::Fail)).await
    }
}

#[cfg(test)]
mod tests {
    use loam_journal::Position;

    use super::*;

    fn frame(kind: u8, payload: Vec<u8>) -> Frame {
        Frame { kind, key: [0; 16], position: Position(1), payload }
    }

    fn part(turn: u128, first: u32, texts: &[&str]) -> Frame {
        let events: Vec<_> = texts.iter().map(|text| TurnEvent::Delta((*text).to_owned())).collect();
        let part = EventsFrame {
            tenant: TenantId::NIL,
            turn: Uuid::from_u128(turn).into(),
            first,
            events: events.into(),
        };
        frame(EVENTS_KIND, part.encode().expect("written"))
    }

    fn stored(turn: u128, up_to: u32) -> Frame {
        let stored = StoredFrame { tenant: TenantId::NIL, turn: Uuid::from_u128(turn).into(), up_to };
        frame(STORED_KIND, stored.encode().expect("written"))
    }

    #[test]
    fn events_of_stored_turns_are_skipped_and_others_are_joined() {
        let frames = [
            part(1, 1, &["a"]),
            part(2, 1, &["x"]),
            part(1, 2, &["b", "c"]),
            stored(2, 3),
            part(1, 9, &["z"]),
            part(2, 3, &["y"]),
        ];
        let (runs, all) = collect_runs(&frames).expect("readable");
        let shape = |turn: u128| {
            let runs = &runs[&(TenantId::NIL, Uuid::from_u128(turn).into())];
            runs.iter().map(|run| (run.first, run.events.len())).collect::<Vec<_>>()
        };
        assert_eq!(shape(1), [(1, 3), (9, 1)]);
        assert_eq!(shape(2), [(3, 1)]);
        assert_eq!(all.len(), 1);
    }
}
