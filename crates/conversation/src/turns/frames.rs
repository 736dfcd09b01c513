//! What a turn writes to the journal: its events as they come, and that they are in the database.

use loam_journal::{AppendError, Frame, Journal, Position};
use loam_kernel::{Error, Result, TenantId, TurnId};
use serde::{Deserialize, Serialize};

use super::event::TurnEvent;
use super::live::Live;

/// The kind of a frame with events.
pub(super) const PART: u8 = 32;
/// The kind of a frame that says up to where a turn's events are stored with the turn.
pub(super) const STORED: u8 = 33;

/// Events of a running turn.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Part<'a> {
    pub(super) tenant: TenantId,
    pub(super) turn: TurnId,
    /// How many events came before.
    pub(super) first: u32,
    pub(super) events: std::borrow::Cow<'a, [TurnEvent]>,
}

/// The events of a turn are in its row.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) tenant: TenantId,
    pub(super) turn: TurnId,
    /// How many of them.
    pub(super) up_to: u32,
}

impl Part<'_> {
    pub(super) fn read(frame: &Frame) -> Result<Part<'static>> {
        postcard::from_bytes(&frame.payload).map_err(Error::internal)
    }
}

impl Stored {
    pub(super) fn read(frame: &Frame) -> Result<Self> {
        postcard::from_bytes(&frame.payload).map_err(Error::internal)
    }
}

/// Writes events; they are durable with the next sync.
pub(super) fn append_part(
    journal: &Journal,
    live: &Live,
    first: usize,
    events: &[TurnEvent],
) -> Result<Position, AppendError> {
    let part = Part { tenant: live.tenant, turn: live.id, first: number(first), events: events.into() };
    append(journal, PART, live.id, &part)
}

/// Tells the sink that it need not keep what came before.
pub(super) fn append_stored(journal: &Journal, live: &Live, up_to: usize) {
    let stored = Stored { tenant: live.tenant, turn: live.id, up_to: number(up_to) };
    if let Err(e) = append(journal, STORED, live.id, &stored) {
        // parts that nobody needs any more stay until the next start
        tracing::debug!(error = %e, "cannot note that a turn is stored");
    }
}

fn append(journal: &Journal, kind: u8, turn: TurnId, what: &impl Serialize) -> Result<Position, AppendError> {
    let payload = postcard::to_allocvec(what).map_err(|_| AppendError::Failed)?;
    journal.append(kind, turn.0.into_bytes(), &[&payload])
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
