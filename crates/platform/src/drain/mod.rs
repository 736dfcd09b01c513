//! Moves the journal into the database, in large batches, each exactly once.
//!
//! The position reached is a row of the database, written in the batch's own transaction: after a crash the drainer goes
//! on behind the last batch that was committed, and nothing is written twice. A batch that the database refuses is split
//! until the frame at fault stands alone; that one goes to the quarantine.

mod batch_size;
pub mod checkpoint;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use loam_db::{Db, System, Tx};
use loam_journal::{Frame, Journal, Position};
use loam_kernel::{Clock, Kind, NodeId, Result, Scope, TenantId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::batch_size::BatchSize;
use crate::personal::erased_tenants;
use crate::quarantine;

/// How long frames are collected when there are few: lists show a call well within a second.
const GATHER: Duration = Duration::from_millis(100);
/// Maximum pause between attempts while the database is unavailable.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Writes the frames of some kinds into their tables.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Whether frames of this kind belong here.
    fn takes(&self, kind: u8) -> bool;

    /// The tenant of a frame's row, if the frame can be decoded; for the quarantine.
    fn tenant(&self, frame: &Frame) -> TenantId;

    /// Writes the frames, in their order.
    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()>;
}

/// Moves one node's journal into the database.
pub struct Drainer {
    db: Db,
    journal: Journal,
    clock: Clock,
    node: NodeId,
    sinks: Vec<Arc<dyn Sink>>,
    drained: watch::Sender<Position>,
    batch_size: BatchSize,
}

/// The result of a step.
struct Step {
    /// The position behind the batch.
    next: Position,
    /// Whether more can be read at once.
    is_full: bool,
}

impl Drainer {
    /// A drainer that continues from the checkpoint in the database, and releases drained frames in the journal.
    pub async fn open(db: Db, journal: Journal, clock: Clock, sinks: Vec<Arc<dyn Sink>>) -> Result<Self> {
        let node = NodeId(uuid::Uuid::from_bytes(journal.id()));
        let position = checkpoint::load(&db, node).await?;
        journal.start_after(position).map_err(loam_kernel::Error::internal)?;
        Ok(Self {
            db,
            journal,
            clock,
            node,
            sinks,
            drained: watch::Sender::new(position),
            batch_size: BatchSize::default(),
        })
    }

    /// Follows how far the database has come.
    pub fn drained(&self) -> watch::Receiver<Position> {
        self.drained.subscribe()
    }

    /// Drains until stopped, and then what is left, for as long as the database takes it.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut position = *self.drained.borrow();
        let mut pause = Duration::from_millis(50);
        let mut is_more = false;
        loop {
            if !stop.is_cancelled() && !is_more {
                _ = stop.run_until_cancelled(self.journal.wait_for_frames(position)).await;
                _ = stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
            }
            match self.step(position).await {
                Ok(Step { next, .. }) if next == position && stop.is_cancelled() => return,
                Ok(Step { next, is_full }) => {
                    position = next;
                    is_more = is_full;
                    pause = Duration::from_millis(50);
                }
                Err(e) if stop.is_cancelled() => {
                    tracing::warn!(error = %e, "stopping with frames in the journal; they are drained at the next start");
                    return;
                }
                Err(e) => {
                    metrics::counter!("loam_drain_failures_total").increment(1);
                    tracing::warn!(error = %e, cause = ?std::error::Error::source(&e).map(ToString::to_string), "draining failed; retrying");
                    _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Moves one batch.
    async fn step(&mut self, position: Position) -> Result<Step> {
        let (journal, bytes) = (self.journal.clone(), self.batch_size.bytes());
        let batch = tokio::task::spawn_blocking(move || journal.read(position, bytes))
            .await
            .map_err(loam_kernel::Error::internal)?
            .map_err(loam_kernel::Error::internal)?;
        if batch.next == position {
            return Ok(Step { next: position, is_full: false });
        }
        // without frames all that was there is damaged, and is passed over: nobody must wait for it for ever
        metrics::counter!("loam_drained_frames_total").increment(batch.frames.len() as u64);
        self.write(&batch.frames).await?;
        self.journal.released(batch.next);
        self.drained.send_replace(batch.next);
        Ok(Step { next: batch.next, is_full: batch.is_full })
    }

    async fn write(&mut self, frames: &[Frame]) -> Result<()> {
        // a stack rather than recursion: first halves first, so that the checkpoint only moves forwards
        let mut open = vec![frames];
        while let Some(part) = open.pop() {
            let Some(last) = part.last() else { continue };
            let Err(error) = self.try_write(part, last.position).await else { continue };
            if error.kind() == Kind::Unavailable {
                return Err(error);
            }
            // the month may have turned while the server slept: a missing partition is mended, not quarantined
            let scope = self.scope();
            if self.db.ensure_partitions(&scope, self.clock.now()).await? > 0 {
                open.push(part);
            } else if part.len() > 1 {
                let (first, second) = part.split_at(part.len() / 2);
                open.extend([second, first]);
            } else {
                self.quarantine(&part[0], &error).await?;
            }
        }
        Ok(())
    }

    fn scope(&self) -> Scope {
        Scope::system(TenantId::NIL, "drainer")
    }

    async fn try_write(&mut self, frames: &[Frame], last: Position) -> Result<()> {
        // such as a later version's, found after going back to this one: kept in quarantine rather than passed over
        if let Some(frame) = frames.iter().find(|frame| !self.sinks.iter().any(|sink| sink.takes(frame.kind)))
        {
            return Err(loam_kernel::Error::internal(format!("unknown kind of frame {}", frame.kind)));
        }
        let tx = self.db.system_write(&self.scope()).await?;
        let began = Instant::now();
        let erased = erased_tenants(&tx, self.clock.now()).await?;
        for sink in &self.sinks {
            let wanted = |frame: &Frame| {
                sink.takes(frame.kind) && (erased.is_empty() || !erased.contains(&sink.tenant(frame)))
            };
            let own: Vec<Frame> = frames.iter().filter(|frame| wanted(frame)).cloned().collect();
            if !own.is_empty() {
                sink.write(&tx, &own).await?;
            }
        }
        checkpoint::store(&tx, self.node, last, self.clock.now()).await?;
        // asked while it is still held: afterwards the next in turn has it
        let others_wait = self.db.writers_waiting() > 0;
        tx.commit().await?;
        self.batch_size.adjust(began.elapsed(), others_wait);
        Ok(())
    }

    async fn quarantine(&self, frame: &Frame, error: &loam_kernel::Error) -> Result<()> {
        metrics::counter!("loam_quarantined_frames_total").increment(1);
        let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        tracing::error!(
            journal.position = frame.position.0,
            reason,
            "the database rejected a frame; it is in quarantine"
        );
        let sink = self.sinks.iter().find(|sink| sink.takes(frame.kind));
        let tenant = sink.map_or(TenantId::NIL, |sink| sink.tenant(frame));
        let tx = self.db.system_write(&self.scope()).await?;
        quarantine::add(&tx, &self.clock, tenant, self.node, frame, reason).await?;
        checkpoint::store(&tx, self.node, frame.position, self.clock.now()).await?;
        tx.commit().await
    }
}
