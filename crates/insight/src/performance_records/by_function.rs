//! Lists records by function, from the index rows: minute by minute, newest first.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{Cursor, Page, PageQuery, ProjectId, Result, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::entity::Model;
use super::filter::{PerformanceRecordFilter, matching, micros};
use crate::record_functions::entity::{Column, Entity, Model as Row};
use crate::record_functions::unpack;
use crate::stats::Granularity;

/// Rows per query.
const BATCH: u64 = 500;
/// Maximum number of rows read for a page. With a restrictive filter a page can be short, with a cursor to continue.
const MAX_ROWS: usize = 10_000;
/// Records looked up per query.
const LOOKUP_BATCH: usize = 200;

/// One page, newest first.
pub(super) async fn page(
    tx: &Tx<Tenant>,
    function: (ProjectId, &str),
    filter: &PerformanceRecordFilter,
    query: &PageQuery,
) -> Result<Page<Model>> {
    let (limit, after) = (query.limit()?, query.after()?);
    let page_size = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let before = filter.to.map_or(Uuid::max(), first_id_at).min(after.unwrap_or(Uuid::max()));
    let from = filter.from.map_or(Uuid::nil(), first_id_at);
    let mut minutes = Minutes::new(tx, function, before, filter.from);
    let mut found: Vec<Model> = Vec::new();
    while found.len() < page_size {
        let Some((minute, rows)) = minutes.next().await? else { break };
        let min = filter.function_min_time.map_or(0, micros).unsigned_abs();
        let ids: Vec<Uuid> =
            records(rows, min)?.into_iter().filter(|id| (from..before).contains(id)).collect();
        for ids in ids.chunks(LOOKUP_BATCH) {
            let mut rows = matching(tx, filter, ids).await?;
            rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
            found.extend(rows);
            if found.len() >= page_size {
                break;
            }
        }
        if minutes.read >= MAX_ROWS && found.len() < page_size {
            let id = first_id_at(minute);
            let next_cursor = Some(Cursor { key: None, id, back: false }.encode());
            return Ok(Page { data: found, next_cursor, prev_cursor: None });
        }
    }
    found.truncate(page_size);
    Ok(Page::from_rows(found, limit, |row| row.id.0))
}

/// The records of a minute in which the function took at least `min_us`, newest first.
fn records(mut rows: Vec<Row>, min_us: u64) -> Result<Vec<Uuid>> {
    // later rows take precedence
    rows.sort_by_key(|row| (row.created_at, row.id));
    let mut latest: BTreeMap<Uuid, u64> = BTreeMap::new();
    for row in rows {
        latest.extend(unpack(&row.records)?.into_iter().map(|share| (share.record.0, share.self_us)));
    }
    Ok(latest.into_iter().rev().filter(|(_, own)| *own >= min_us).map(|(id, _)| id).collect())
}

/// Reads the rows minute by minute, newest first.
struct Minutes<'a> {
    tx: &'a Tx<Tenant>,
    function: (ProjectId, &'a str),
    before: Uuid,
    from: Uuid,
    /// Rows that were read but not returned yet, from newest to oldest minute.
    rows: std::collections::VecDeque<Row>,
    is_done: bool,
    read: usize,
}

impl<'a> Minutes<'a> {
    fn new(
        tx: &'a Tx<Tenant>,
        function: (ProjectId, &'a str),
        before: Uuid,
        from: Option<DateTime<Utc>>,
    ) -> Self {
        // the end of the minute of the last possible record
        let last = timestamp(before).map(|at| Granularity::Minute.bucket(at) + TimeDelta::minutes(1));
        Self {
            tx,
            function,
            before: last.map_or(Uuid::max(), first_id_at),
            from: from.map_or(Uuid::nil(), |from| first_id_at(Granularity::Minute.bucket(from))),
            rows: std::collections::VecDeque::new(),
            is_done: false,
            read: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<(DateTime<Utc>, Vec<Row>)>> {
        // a minute is complete once a row of an earlier one was read
        while !self.is_done
            && self.rows.front().map(|row| row.minute) == self.rows.back().map(|row| row.minute)
        {
            let (project, function) = self.function;
            let rows = self
                .tx
                .find::<Entity>()
                .filter(Column::ProjectId.eq(project))
                .filter(Column::Function.eq(function))
                .filter(Column::Id.lt(self.before))
                .filter(Column::Id.gte(self.from))
                .order_by_desc(Column::Id)
                .limit(BATCH)
                .all()
                .await?;
            self.is_done = (rows.len() as u64) < BATCH;
            self.read += rows.len();
            self.before = rows.last().map_or(self.before, |row| row.id.0);
            self.rows.extend(rows);
        }
        let Some(minute) = self.rows.front().map(|row| row.minute) else { return Ok(None) };
        let count = self.rows.iter().take_while(|row| row.minute == minute).count();
        Ok(Some((minute, self.rows.drain(..count).collect())))
    }
}

/// The timestamp of an id; none if it is out of range.
fn timestamp(id: Uuid) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(id.as_u128() >> 80).ok()?)
}
