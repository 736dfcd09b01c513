//! The journal frames of a turn: its events, and markers that they are stored in the database.

use loam_journal::{AppendError, Journal, Position};
use loam_kernel::{Result, TenantId, TurnId};

use super::event::TurnEvent;
use super::live::LiveTurn;

/// Frame kind: events of a turn.
pub(super) const EVENTS_KIND: u8 = 32;
/// Frame kind: a turn's events up to a number are stored in its row.
pub(super) const STORED_KIND: u8 = 33;

/// Events of a running turn.
#[derive(Debug, PartialEq)]
pub(super) struct EventsFrame<'a> {
    pub(super) tenant: TenantId,
    pub(super) turn: TurnId,
    /// Number of earlier events.
    pub(super) first: u32,
    pub(super) events: std::borrow::Cow<'a, [TurnEvent]>,
}

/// A turn's events are stored in its row.
#[derive(Debug, PartialEq)]
pub(super) struct StoredFrame {
    pub(super) tenant: TenantId,
    pub(super) turn: TurnId,
    /// Number of stored events.
    pub(super) up_to: u32,
}

/// Appends events; they are durable after the next sync.
pub(super) fn append_events(
    journal: &Journal,
    live: &LiveTurn,
    first: usize,
    events: &[TurnEvent],
) -> Result<Position, AppendError> {
    let part =
        EventsFrame { tenant: live.tenant, turn: live.id, first: number(first), events: events.into() };
    append(journal, EVENTS_KIND, live.id, part.encode())
}

/// Tells the sink that earlier events need not be stored.
pub(super) fn append_stored(journal: &Journal, live: &LiveTurn, up_to: usize) {
    let stored = StoredFrame { tenant: live.tenant, turn: live.id, up_to: number(up_to) };
    if let Err(e) = append(journal, STORED_KIND, live.id, stored.encode()) {
        // Obsolete parts remain until the next start.
        tracing::debug!(error = %e, "cannot log that a turn is stored");
    }
}

fn append(
    journal: &Journal,
    kind: u8,
    turn: TurnId,
    payload: Result<Vec<u8>>,
) -> Result<Position, AppendError> {
    let payload = payload.map_err(|_| AppendError::Failed)?;
    journal.append(kind, turn.0.into_bytes(), &[&payload])
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
