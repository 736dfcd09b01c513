//! The stored form of a turn's events: in the columns `turns.events` and `turn_parts.events`, and in journal frames.

use std::borrow::Cow;

use loam_kernel::{Result, TenantId, TurnId};
use loam_platform::pack::{pack, unpack};
use loam_platform::stored_format::StoredFormat;
use serde::{Deserialize, Serialize, Serializer};

use super::event::TurnEvent;
use super::frames::{EventsFrame, StoredFrame};
use super::stored_event::StoredEvent;

/// Events in a column, packed. Version 1 has no version byte, and begins with the flags of a packed body.
pub(crate) const TURN_EVENTS: StoredFormat = StoredFormat::new("turn_events", 2).first_unversioned();
/// The payload of a frame with events. Version 1 has no version byte.
pub(crate) const TURN_EVENTS_FRAME: StoredFormat =
    StoredFormat::new("turn_events_frame", 2).first_unversioned();
/// The payload of a frame that marks events as stored. Version 1 has no version byte.
pub(crate) const TURN_STORED_FRAME: StoredFormat =
    StoredFormat::new("turn_stored_frame", 2).first_unversioned();

/// Events that are encoded without a copy of them.
struct StoredEvents<'a>(&'a [TurnEvent]);

impl Serialize for StoredEvents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(StoredEvent::from))
    }
}

/// The fields of a frame with events.
#[derive(Serialize, Deserialize)]
struct EventsFields<E> {
    tenant: TenantId,
    turn: TurnId,
    first: u32,
    events: E,
}

/// The fields of a frame that marks events as stored.
#[derive(Serialize, Deserialize)]
struct StoredFields {
    tenant: TenantId,
    turn: TurnId,
    up_to: u32,
}

/// Encodes events for the database.
pub(crate) fn pack_events(events: &[TurnEvent]) -> Result<Vec<u8>> {
    let plain = TURN_EVENTS.encode_part(&StoredEvents(events))?;
    let packed = pack(&[&plain], false, plain.len());
    let mut bytes = TURN_EVENTS.begin(packed.len());
    bytes.extend_from_slice(&packed);
    Ok(bytes)
}

/// Decodes events.
pub(crate) fn unpack_events(packed: &[u8]) -> Result<Vec<TurnEvent>> {
    // version 1 has the same content
    let (_, packed) = TURN_EVENTS.open(packed)?;
    let Some(unpacked) = unpack(packed)? else { return Ok(Vec::new()) };
    Ok(owned(TURN_EVENTS.decode(&unpacked.body)?))
}

impl EventsFrame<'_> {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let Self { tenant, turn, first, events } = self;
        let (tenant, turn, first, events) = (*tenant, *turn, *first, StoredEvents(events));
        TURN_EVENTS_FRAME.encode(&EventsFields { tenant, turn, first, events })
    }

    pub(super) fn decode(payload: &[u8]) -> Result<EventsFrame<'static>> {
        // version 1 has the same fields
        let (_, body) = TURN_EVENTS_FRAME.open(payload)?;
        let EventsFields { tenant, turn, first, events } = TURN_EVENTS_FRAME.decode(body)?;
        Ok(EventsFrame { tenant, turn, first, events: Cow::Owned(owned(events)) })
    }
}

impl StoredFrame {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let Self { tenant, turn, up_to } = *self;
        TURN_STORED_FRAME.encode(&StoredFields { tenant, turn, up_to })
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Self> {
        // version 1 has the same fields
        let (_, body) = TURN_STORED_FRAME.open(payload)?;
        let StoredFields { tenant, turn, up_to } = TURN_STORED_FRAME.decode(body)?;
        Ok(Self { tenant, turn, up_to })
    }
}

fn owned(events: Vec<StoredEvent<'_>>) -> Vec<TurnEvent> {
    events.into_iter().map(TurnEvent::from).collect()
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
