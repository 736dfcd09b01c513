//! A turn's stream as personal data: rendered for an export, and purged when one of its messages is deleted.
//! That the turn took place, and how it ended, is kept.

use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{Result, TurnId};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::entity::{Entity, Model};
use super::event::TurnEvent;
use super::input::Input;
use super::part;
use super::stored::{pack_events, unpack_events};

/// Purges a turn's events and question; false while the turn is in progress.
pub(crate) async fn purge_stream(tx: &Tx<Tenant>, id: TurnId, now: DateTime<Utc>) -> Result<bool> {
    let Some(turn) = tx.get_locked::<Entity>(id).await? else { return Ok(true) };
    if turn.ended_at.is_none() {
        return Ok(false);
    }
    let mut events = unpack_events(turn.events.as_deref().unwrap_or_default())?;
    events.retain(|event| matches!(event, TurnEvent::Ended { .. }));
    let mut input = Input::read(&turn.input)?;
    input.content = None;
    input.metadata.clear();
    let mut row = turn.into_active_model();
    row.events = Set(Some(pack_events(&events)?));
    row.input = Set(input.write()?.into());
    row.updated_at = Set(now);
    let _: Model = tx.update(row).await?;
    tx.delete::<part::Entity>().filter(part::Column::TurnId.eq(id)).exec().await?;
    Ok(true)
}

/// A turn's stream as clients received it.
pub(crate) fn rendered_stream(turn: &Model) -> String {
    let events = turn.events.as_deref().map(unpack_events).and_then(Result::ok).unwrap_or_default();
    let mut text = String::new();
    for (at, event) in events.iter().enumerate() {
        event.render(at + 1, &mut text);
    }
    text
}
