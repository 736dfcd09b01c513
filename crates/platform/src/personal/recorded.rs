//! What is on record of requests of some time: of a conversation that is deleted, the time in which it lived.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{Result, first_id_at};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use super::stores::{request_matches, view};
use super::{Cursor, PersonQuery, PersonalDataStore, Removed, Step};
use crate::api_logs::entity::{Column, Entity, Model};
use crate::api_logs::routes::ApiLogView;

/// Rows that are read at once.
const PAGE: u64 = 50;
/// A request is on record with when it came, a little before what it wrote.
const BEFORE: TimeDelta = TimeDelta::minutes(2);

/// Requests that came between two moments.
pub struct RecordedBetween {
    from: Uuid,
    before: Uuid,
    /// Those without a body too.
    all: bool,
}

impl RecordedBetween {
    /// Between these, with a body: all that is looked at for each deletion.
    pub fn new(first: DateTime<Utc>, last: DateTime<Utc>) -> Self {
        Self { from: first_id_at(first - BEFORE), before: first_id_at(last + BEFORE), all: false }
    }

    /// Between these, with a body or without.
    pub fn all(first: DateTime<Utc>, last: DateTime<Utc>) -> Self {
        Self { all: true, ..Self::new(first, last) }
    }

    async fn page(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Model>, Option<Cursor>)> {
        if from.part > 0 {
            return Ok((Vec::new(), None));
        }
        let bodies = match self.all {
            true => Condition::all(),
            false => Condition::any().add(Column::Body.is_not_null()).add(Column::ResponseBody.is_not_null()),
        };
        let find = tx.find::<Entity>().filter(bodies).filter(Column::Id.gt(from.after.max(self.from)));
        let find = find.filter(Column::Id.lt(self.before)).order_by_asc(Column::Id);
        let mut rows = find.limit(PAGE).all().await?;
        let next = from.behind(rows.last().map(|row| row.id.0), rows.len(), PAGE);
        rows.retain(|row| request_matches(row, who));
        Ok((rows, Some(next)))
    }
}

#[async_trait]
impl PersonalDataStore for RecordedBetween {
    fn name(&self) -> &'static str {
        "api_logs"
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let (rows, next) = self.page(tx, who, from).await?;
        if rows.is_empty() {
            return Ok(Step { next, ..Step::default() });
        }
        let gone = tx.delete::<Entity>().filter(Column::Id.is_in(rows.iter().map(|row| row.id)));
        let removed = Removed { deleted: gone.exec().await?, emptied: 0 };
        Ok(Step { removed: vec![(self.name(), removed)], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let (rows, next) = self.page(tx, who, from).await?;
        Ok((rows.into_iter().map(|row| view(ApiLogView::from(row))).collect(), next))
    }
}
