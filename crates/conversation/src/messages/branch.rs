//! Branches: the way from a message back to the beginning.

use loam_db::Tx;
use loam_kernel::{Error, MessageId, Order, Page, PageQuery, Result};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{Column, Entity, Model};
use super::span::Span;
use crate::chat_sessions::entity as sessions;

/// Rows that are looked at at once. A message's parent is mostly the one before it, so few are looked at in vain.
const STRIDE: u64 = 500;

/// A message on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sea_orm::FromQueryResult)]
pub(crate) struct Step {
    pub(crate) id: MessageId,
    parent_id: Option<MessageId>,
    pub(crate) sequence_number: i64,
}

/// The way from a message, which has been checked to be of the session, back to the beginning: `count` steps at most,
/// the message itself first. A parent's number is always the lower one, so one look along the numbers finds all.
pub(crate) async fn path<R>(
    tx: &Tx<R>,
    session: &sessions::Model,
    from: &Model,
    count: usize,
) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let Some(span) = Span::of_session(session) else { return Ok(steps) };
    let (mut next, mut below) = (Some(from.id), from.sequence_number);
    while next.is_some() && steps.len() < count {
        let rows =
            tx.find::<Entity>().filter(Column::SessionId.eq(session.id)).within_ids(span.from, span.before);
        let rows = rows.filter(Column::SequenceNumber.lte(below)).order_by_desc(Column::SequenceNumber);
        let rows = rows.select_only().columns([Column::Id, Column::ParentId, Column::SequenceNumber]);
        let rows = rows.limit(STRIDE.min(count as u64)).into::<Step>().await?;
        let Some(last) = rows.last() else { break };
        below = last.sequence_number - 1;
        for step in rows {
            if Some(step.id) == next && steps.len() < count {
                next = step.parent_id;
                steps.push(step);
            }
        }
    }
    Ok(steps)
}

/// The messages of these steps, in their order.
pub(crate) async fn load<R>(tx: &Tx<R>, session: &sessions::Model, steps: &[Step]) -> Result<Vec<Model>> {
    let (Some(span), false) = (Span::of_session(session), steps.is_empty()) else { return Ok(Vec::new()) };
    let numbers = steps.iter().map(|step| step.sequence_number);
    let find =
        tx.find::<Entity>().filter(Column::SessionId.eq(session.id)).within_ids(span.from, span.before);
    let rows = find.filter(Column::SequenceNumber.is_in(numbers)).all().await?;
    let mut rows: std::collections::HashMap<MessageId, Model> =
        rows.into_iter().map(|row| (row.id, row)).collect();
    Ok(steps.iter().filter_map(|step| rows.remove(&step.id)).collect())
}

/// One page of the way to a message.
pub(super) async fn page<R>(
    tx: &Tx<R>,
    session: &sessions::Model,
    leaf: MessageId,
    query: &PageQuery,
    order: Order,
) -> Result<Page<Model>> {
    let (limit, place) = (query.limit()?, query.place()?);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let leaf = super::of_session(tx, session, "branch_of", leaf).await?;
    let back = place.is_some_and(|place| place.back);
    let steps = match place {
        // towards the beginning: from where the page before ended, however long the way to there was
        _ if (order == Order::Desc) != back => match place {
            Some(place) => {
                let at = super::of_session(tx, session, "cursor", place.id.into()).await?;
                path(tx, session, &at, wanted.saturating_add(1)).await?.split_off(1)
            }
            None => path(tx, session, &leaf, wanted).await?,
        },
        // away from it: a message knows what it follows, not what follows it
        _ => {
            let after = place.map(|place| place.key()).transpose()?.unwrap_or(0);
            let all = path(tx, session, &leaf, usize::MAX).await?;
            let away = all.into_iter().rev().filter(|step| step.sequence_number > after);
            away.take(wanted).collect()
        }
    };
    let rows = load(tx, session, &steps).await?;
    Ok(Page::around(rows, limit, place, |row| (Some(row.sequence_number), row.id.0)))
}

/// What a page along a branch can't be narrowed by.
pub(super) fn alone(narrowed: bool) -> Result<()> {
    if !narrowed {
        return Ok(());
    }
    Err(Error::invalid(
        "branch_of",
        "can't be had with `role`, `turn_id`, `created_after` or `created_before`",
    ))
}
