//! Lists of performance records.

use loam_kernel::{Order, Page, PageQuery, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter};

use super::by_function;
use super::entity::{Column, Entity, Model};
use super::filter::{PerformanceRecordFilter, RecordOrder};
use crate::stats::Stats;

impl Stats {
    /// Lists the tenant's records.
    pub async fn list_records(
        &self,
        scope: &Scope,
        filter: PerformanceRecordFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        filter.check()?;
        let tx = self.0.db.read(scope).await?;
        if let (Some(project), Some(function)) = (filter.project_id, &filter.function) {
            return by_function::page(&tx, (project, function), &filter, page).await;
        }
        let mut find = filter.apply(tx.find::<Entity>());
        if filter.order == Some(RecordOrder::Duration) {
            let from = filter.from.map_or(uuid::Uuid::nil(), first_id_at);
            find = find.within_ids(from, filter.to.map_or(uuid::Uuid::max(), first_id_at));
            let at = |row: &Model| (row.duration_us, row.id.0);
            return find.page_by(page, Order::Desc, Column::DurationUs, at).await;
        }
        if let Some(from) = filter.from {
            find = find.filter(Column::Id.gte(first_id_at(from)));
        }
        if let Some(to) = filter.to {
            find = find.filter(Column::Id.lt(first_id_at(to)));
        }
        find.page(page, |row| row.id.0).await
    }
}
