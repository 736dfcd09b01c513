//! Opening and settling calls.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use loam_journal::{AppendError, DurableError, Journal, Owner, Position};
use loam_kernel::{Clock, Error, FairLimits, FairPermit, FairShare, Kind, NodeId, Result};
use loam_platform::pack::pack;
use loam_providers::Usage;
use metrics::Counter;
use uuid::Uuid;

use super::entity::{CacheUse, CallState};
use super::record::{INTENT, Record, SETTLEMENT};
use crate::limits::admission::Hold;
use crate::limits::meters::Meters;
use crate::model_prices::Price;

/// What a caller is told to wait while the journal is full.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The code of the error that says so.
const FULL: &str = "ledger_full";

/// The share of the journal's budget that is kept free for settling calls that have begun: one in so many.
const RESERVE: u64 = 16;

/// Writes calls to the journal.
pub(crate) struct Ledger {
    journal: Option<Journal>,
    /// Bytes on disk beyond which no call begins.
    limit: u64,
    /// Whether a call may begin; looked at now and then, as asking the journal each time would cost a lock.
    room: AtomicBool,
    clock: Clock,
    meters: Meters,
    /// Calls under way.
    calls: FairShare,
}

/// A call under way. It must be settled; [`OpenCall::settle`] consumes it.
pub(crate) struct OpenCall {
    pub(crate) record: Record,
    /// What the model costs that is asked.
    pub(crate) price: Option<Price>,
    pub(crate) began: Instant,
    /// Where its intent stands in the journal.
    pub(crate) intent: Position,
    /// What is held back for it, until it is settled.
    hold: Option<Hold>,
    /// Its place among the calls under way.
    _place: FairPermit,
}

/// How a call ended.
pub(crate) struct Outcome<'a> {
    pub(crate) state: CallState,
    pub(crate) usage: Option<Usage>,
    /// The answer's body, in parts.
    pub(crate) answer: &'a [Bytes],
    /// Whether the answer is a stream's events.
    pub(crate) events: bool,
}

impl Ledger {
    pub(crate) fn new(
        journal: Option<Journal>,
        budget: u64,
        max_calls: usize,
        clock: Clock,
        meters: Meters,
    ) -> Self {
        let each = (max_calls / 2).max(1);
        let limits = FairLimits { units: max_calls.max(1), each, waiting: 0, patience: Duration::ZERO };
        let (limit, room) = (budget - budget / RESERVE, AtomicBool::new(true));
        Self { journal, limit, room, clock, meters, calls: FairShare::new(limits) }
    }

    /// Looks whether there is room for calls to begin. To be called a few times a second.
    pub(crate) fn look_for_room(&self) {
        if let Some(journal) = &self.journal {
            self.room.store(journal.stats().segment_bytes <= self.limit, Ordering::Relaxed);
        }
    }

    fn journal(&self) -> Result<&Journal> {
        self.journal.as_ref().ok_or_else(|| Error::internal("this process has no journal"))
    }

    pub(crate) fn reader(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Writes a call's intent. It becomes durable with the next sync; nothing of the answer may go on before.
    pub(crate) fn begin(
        &self,
        mut record: Record,
        request: &[u8],
        keep: usize,
        began: Instant,
        hold: Option<Hold>,
    ) -> Result<OpenCall> {
        let journal = self.journal()?;
        if !self.room.load(Ordering::Relaxed) {
            return Err(full());
        }
        let place = self.calls.try_acquire(record.tenant).ok_or_else(too_many)?;
        let now = self.clock.now();
        record.id = self.clock.id_at(now).into();
        record.node = NodeId(Uuid::from_bytes(journal.id()));
        record.created_us = now.timestamp_micros();
        record.updated_us = record.created_us;
        let request = if keep == 0 { Vec::new() } else { pack(&[request], false, keep) };
        let head = record.head(&request)?;
        let intent = {
            let owner = Owner { id: record.tenant.0.into_bytes(), bounded: true };
            journal
                .append_for(owner, INTENT, record.id.0.into_bytes(), &[&head, &request])
                .map_err(refused)?
        };
        Ok(OpenCall { record, price: None, began, intent, hold, _place: place })
    }

    /// Writes how a call ended, and answers with where that stands in the journal.
    pub(crate) fn settle(&self, call: OpenCall, outcome: &Outcome<'_>, keep: usize) -> Result<Position> {
        let OpenCall { mut record, price, began, hold, .. } = call;
        record.state = outcome.state;
        record.usage = outcome.usage;
        record.cost_nano_usd = match record.cache {
            // nobody was asked
            Some(CacheUse::Hit) => Some(0),
            _ => price.zip(outcome.usage).map(|(price, usage)| price.cost(&usage)),
        };
        record.latency_us = i64::try_from(began.elapsed().as_micros()).ok();
        record.updated_us = self.clock.now().timestamp_micros().max(record.created_us);
        let answer = if keep == 0 || outcome.answer.is_empty() {
            Vec::new()
        } else {
            pack(outcome.answer, outcome.events, keep)
        };
        let position = self.append_settlement(&record, &answer);
        // counted before it is no longer held: in between it may count twice, but never not at all
        drop(hold);
        position
    }

    /// Writes that nobody settled a call.
    pub(crate) async fn settle_orphan(&self, record: Record) -> Result<Position> {
        loop {
            match self.append_settlement(&record, &[]) {
                // what is in the way is being drained, and each row must be written once
                Err(e) if e.code() == FULL => tokio::time::sleep(RETRY_AFTER).await,
                done => return done,
            }
        }
    }

    fn append_settlement(&self, record: &Record, answer: &[u8]) -> Result<Position> {
        let head = record.head(&[])?;
        count(record.state);
        // a call that was let in is settled, whatever its tenant has in the journal
        let owner = Owner { id: record.tenant.0.into_bytes(), bounded: false };
        let written =
            self.journal()?.append_for(owner, SETTLEMENT, record.id.0.into_bytes(), &[&head, answer]);
        // the money is spent, whether or not it could be written down
        if !matches!((&written, record.state), (Err(_), CallState::Orphaned)) {
            self.meters.spent(record, *written.as_ref().unwrap_or(&Position(u64::MAX)));
        }
        written.map_err(refused)
    }

    /// Waits until everything up to a position is on disk.
    pub(crate) async fn durable(&self, position: Position) -> Result<()> {
        self.journal()?.durable(position).await.map_err(|e| match e {
            DurableError::Full | DurableError::Failed => full().with_source(e),
            DurableError::Closed => stopping().with_source(e),
        })
    }
}

/// Counts a call that ended. A counter is looked up once, as that costs more than to count.
fn count(state: CallState) {
    static COUNTERS: [OnceLock<Counter>; 5] = [const { OnceLock::new() }; 5];
    let counter = || metrics::counter!("loam_gateway_calls_total", "state" => state.name());
    COUNTERS[state as usize].get_or_init(counter).increment(1);
}

/// The answer when a tenant has as many calls under way as may be.
fn too_many() -> Error {
    let message = "too many calls are under way on this server; try again";
    Error::new(Kind::TooMany, "too_many_calls", message).with_retry_after(RETRY_AFTER)
}

fn refused(error: AppendError) -> Error {
    match error {
        AppendError::Closed => stopping(),
        AppendError::TooLarge { .. } => Error::internal(error),
        AppendError::Full | AppendError::Failed => full().with_source(error),
    }
}

fn full() -> Error {
    let message = "calls can't be put on record for the moment: the database is away and the journal is full, or the disk is";
    Error::unavailable(FULL, message, RETRY_AFTER)
}

fn stopping() -> Error {
    Error::unavailable("stopping", "the server is stopping", RETRY_AFTER)
}
