//! Opens and settles calls.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use loam_journal::{AppendError, DurableError, Journal, Owner, Position};
use loam_kernel::{Clock, Error, FairLimits, FairPermit, FairShare, Kind, NodeId, Result, TenantId};
use loam_platform::pack::pack;
use loam_providers::{Endpoint, Quantity, Usage, response_id};
use metrics::Counter;
use uuid::Uuid;

use super::entity::{CacheUse, CallState};
use super::record::{INTENT, Record, SETTLEMENT};
use crate::limits::admission::Reservation;
use crate::limits::meters::Meters;
use crate::model_prices::Price;

/// The `Retry-After` while the journal is full.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The error code for a full journal.
const FULL: &str = "ledger_full";

/// The share of the journal's budget reserved for settling calls that have started: 1/16.
const RESERVE: u64 = 16;

/// Writes calls to the journal.
pub(crate) struct Ledger {
    journal: Option<Journal>,
    /// Bytes on disk beyond which no call starts.
    limit: u64,
    /// Whether a call may start; updated periodically, as querying the journal each time would cost a lock.
    has_capacity: AtomicBool,
    clock: Clock,
    meters: Meters,
    /// Calls in progress.
    calls: FairShare,
}

/// A call in progress. It must be settled; [`OpenCall::settle`] consumes it.
pub(crate) struct OpenCall {
    pub(crate) record: Record,
    /// The price of the called model.
    pub(crate) price: Option<Price>,
    pub(crate) began: Instant,
    /// The position of its intent in the journal.
    pub(crate) intent: Position,
    /// The usage reserved for it, until it is settled.
    reservation: Option<Reservation>,
    /// Its permit among the concurrent calls.
    _permit: FairPermit,
}

/// How a call ended.
pub(crate) struct Outcome<'a> {
    pub(crate) state: CallState,
    pub(crate) usage: Option<Usage>,
    /// What it is counted by besides tokens.
    pub(crate) quantity: Option<Quantity>,
    /// The response body, in chunks.
    pub(crate) response: &'a [Bytes],
    /// Whether the response is a stream's events.
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
        let limits = FairLimits { units: max_calls.max(1), each, waiting: 0, timeout: Duration::ZERO };
        let (limit, has_capacity) = (budget - budget / RESERVE, AtomicBool::new(true));
        Self { journal, limit, has_capacity, clock, meters, calls: FairShare::new(limits) }
    }

    /// Updates whether calls may start. Call it several times per second.
    pub(crate) fn update_capacity(&self) {
        if let Some(journal) = &self.journal {
            self.has_capacity.store(journal.stats().segment_bytes <= self.limit, Ordering::Relaxed);
        }
    }

    fn journal(&self) -> Result<&Journal> {
        self.journal.as_ref().ok_or_else(|| Error::internal("this process has no journal"))
    }

    pub(crate) fn reader(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// A permit for a call of a tenant to start.
    pub(crate) fn permit(&self, tenant: TenantId) -> Result<FairPermit> {
        if !self.has_capacity.load(Ordering::Relaxed) {
            return Err(ledger_full());
        }
        self.calls.try_acquire(tenant).ok_or_else(too_many_calls)
    }

    /// Writes a call's intent. It becomes durable with the next sync; no part of the response may be forwarded
    /// before.
    pub(crate) fn begin(
        &self,
        mut record: Record,
        request: &[u8],
        max_body_bytes: usize,
        began: Instant,
        (reservation, permit): (Option<Reservation>, FairPermit),
    ) -> Result<OpenCall> {
        let journal = self.journal()?;
        let now = self.clock.now();
        record.id = self.clock.id_at(now).into();
        record.node = NodeId(Uuid::from_bytes(journal.id()));
        record.created_us = now.timestamp_micros();
        record.updated_us = record.created_us;
        let request = if max_body_bytes == 0 { Vec::new() } else { pack(&[request], false, max_body_bytes) };
        let header = record.header(&request)?;
        let intent = {
            let owner = Owner { id: record.tenant.0.into_bytes(), bounded: true };
            journal
                .append_for(owner, INTENT, record.id.0.into_bytes(), &[&header, &request])
                .map_err(append_error)?
        };
        Ok(OpenCall { record, price: None, began, intent, reservation, _permit: permit })
    }

    /// Writes a call's settlement; returns its position in the journal.
    pub(crate) fn settle(
        &self,
        call: OpenCall,
        outcome: &Outcome<'_>,
        max_body_bytes: usize,
    ) -> Result<Position> {
        let OpenCall { mut record, price, began, reservation, .. } = call;
        record.state = outcome.state;
        record.usage = outcome.usage;
        record.quantity = outcome.quantity;
        record.cost_nano_usd = match record.cache {
            // no provider was called
            Some(CacheUse::Hit) => Some(0),
            _ => price.and_then(|price| price.cost(outcome.usage.as_ref(), outcome.quantity)),
        };
        // others have none, and are long
        if Endpoint::of_path(&record.endpoint).is_some_and(Endpoint::writes_text) {
            record.response_id = response_id(outcome.response, outcome.events);
        }
        record.latency_us = i64::try_from(began.elapsed().as_micros()).ok();
        record.updated_us = self.clock.now().timestamp_micros().max(record.created_us);
        let response = if max_body_bytes == 0 || outcome.response.is_empty() {
            Vec::new()
        } else {
            pack(outcome.response, outcome.events, max_body_bytes)
        };
        let position = self.append_settlement(&record, &response);
        // settled before the reservation is released: in between it may count twice, but never not at all
        drop(reservation);
        position
    }

    /// Settles a call whose server died.
    pub(crate) async fn settle_orphan(&self, record: Record) -> Result<Position> {
        loop {
            match self.append_settlement(&record, &[]) {
                // the journal is being drained, and each settlement must be written
                Err(e) if e.code() == FULL => tokio::time::sleep(RETRY_AFTER).await,
                done => return done,
            }
        }
    }

    fn append_settlement(&self, record: &Record, response: &[u8]) -> Result<Position> {
        let header = record.header(&[])?;
        count(record.state);
        // an admitted call is settled, whatever its tenant's share of the journal
        let owner = Owner { id: record.tenant.0.into_bytes(), bounded: false };
        let written =
            self.journal()?.append_for(owner, SETTLEMENT, record.id.0.into_bytes(), &[&header, response]);
        // the money is spent, whether or not the settlement could be written
        if !matches!((&written, record.state), (Err(_), CallState::Orphaned)) {
            self.meters.record_usage(record, *written.as_ref().unwrap_or(&Position(u64::MAX)));
        }
        written.map_err(append_error)
    }

    /// Appends calls that were refused, without waiting. They are the first that a full journal doesn't take.
    pub(crate) fn append_refusal(&self, record: &Record) -> Result<()> {
        let journal = self.journal()?;
        if !self.has_capacity.load(Ordering::Relaxed) {
            return Err(ledger_full());
        }
        let header = record.header(&[])?;
        let owner = Owner { id: record.tenant.0.into_bytes(), bounded: true };
        let written = journal.append_for(owner, SETTLEMENT, record.id.0.into_bytes(), &[&header]);
        written.map(drop).map_err(append_error)
    }

    /// The identity of this node.
    pub(crate) fn node(&self) -> Result<NodeId> {
        Ok(NodeId(Uuid::from_bytes(self.journal()?.id())))
    }

    /// Waits until everything up to a position is on disk.
    pub(crate) async fn durable(&self, position: Position) -> Result<()> {
        self.journal()?.durable(position).await.map_err(|e| match e {
            DurableError::Full | DurableError::Failed => ledger_full().with_source(e),
            DurableError::Closed => stopping().with_source(e),
        })
    }
}

/// Counts a call that was settled or refused. Counters are looked up once, as a lookup costs more than an increment.
pub(crate) fn count(state: CallState) {
    static COUNTERS: [OnceLock<Counter>; 6] = [const { OnceLock::new() }; 6];
    let counter = || metrics::counter!("loam_gateway_calls_total", "state" => state.name());
    COUNTERS[state as usize].get_or_init(counter).increment(1);
}

/// The error when a tenant has reached its concurrent calls.
fn too_many_calls() -> Error {
    let message = "too many concurrent calls on this server; try again";
    Error::new(Kind::TooMany, "too_many_calls", message).with_retry_after(RETRY_AFTER)
}

fn append_error(error: AppendError) -> Error {
    match error {
        AppendError::Closed => stopping(),
        AppendError::TooLarge { .. } => Error::internal(error),
        AppendError::Full | AppendError::Failed => ledger_full().with_source(error),
    }
}

fn ledger_full() -> Error {
    let message = "calls can't be recorded at the moment: the journal is full because the database is unavailable, or the disk is full";
    Error::unavailable(FULL, message, RETRY_AFTER)
}

fn stopping() -> Error {
    Error::unavailable("stopping", "the server is stopping", RETRY_AFTER)
}
