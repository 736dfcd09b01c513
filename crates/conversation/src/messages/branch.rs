//! Branches: the path from a message to the first message.

use loam_db::Tx;
use loam_kernel::{Error, MessageId, Order, Page, PageQuery, Result};
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{Column, Entity, Model};
use super::span::Span;
use crate::chat_sessions::entity as sessions;

/// Rows per query. A message's parent is mostly the previous one, so few rows are read in vain.
const ROWS_PER_QUERY: u64 = 500;

/// A message on the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub(crate) struct Step {
    pub(crate) id: MessageId,
    parent_id: Option<MessageId>,
    pub(crate) sequence_number: i64,
}

/// The path from a message, which has been checked to belong to the session, to the first message: at most
/// `count` steps, starting with the message itself. A parent always has a lower number, so one descending
/// scan finds all.
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
        let rows = rows.limit(ROWS_PER_QUERY.min(count as u64)).partial::<Step>().await?;
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

/// One page of the path to a message.
pub(super) async fn page<R>(
    tx: &Tx<R>,
    session: &sessions::Model,
    leaf: MessageId,
    query: &PageQuery,
    order: Order,
) -> Result<Page<Model>> {
    let (limit, cursor) = (query.limit()?, query.position()?);
    let row_count = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let leaf = super::of_session(tx, session, "branch_of", leaf).await?;
    let back = cursor.is_some_and(|cursor| cursor.back);
    let steps = match cursor {
        // Towards the first message: continues where the previous page ended, whatever the length of the
        // path.
        _ if (order == Order::Desc) != back => match cursor {
            Some(cursor) => {
                let at = super::of_session(tx, session, "cursor", cursor.id.into()).await?;
                path(tx, session, &at, row_count.saturating_add(1)).await?.split_off(1)
            }
            None => path(tx, session, &leaf, row_count).await?,
        },
        // Away from the first message: a message knows its parent, not its children, so the path is read as a
        // whole.
        _ => {
            let after = cursor.map(|cursor| cursor.key()).transpose()?.unwrap_or(0);
            let all = path(tx, session, &leaf, usize::MAX).await?;
            let later = all.into_iter().rev().filter(|step| step.sequence_number > after);
            later.take(row_count).collect()
        }
    };
    let rows = load(tx, session, &steps).await?;
    Ok(Page::around(rows, limit, cursor, |row| (Some(row.sequence_number), row.id.0)))
}

/// Rejects other filters together with `branch_of`.
pub(super) fn require_no_filters(filtered: bool) -> Result<()> {
    if !filtered {
        return Ok(());
    }
    Err(Error::invalid(
        "branch_of",
        "can't be combined with `role`, `turn_id`, `created_after` or `created_before`",
    ))
}
