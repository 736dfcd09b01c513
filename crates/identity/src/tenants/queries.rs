//! Queries of tenants. An operator sees all of them; everybody else their own.

use loam_db::{System, TenantEntity, Tx};
use loam_kernel::{Page, PageQuery, Result, TenantId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{Column, Entity, Model};
use super::service::TenantFilter;

pub(crate) async fn list(tx: &Tx<System>, filter: &TenantFilter, query: &PageQuery) -> Result<Page<Model>> {
    let mut find = tx.find_any::<Entity>();
    if let Some(slug) = &filter.slug {
        find = find.filter(Column::Slug.eq(slug));
    }
    find.page(query, |row| row.id.0).await
}

pub(crate) async fn get(tx: &Tx<System>, id: TenantId) -> Result<Option<Model>> {
    tx.find_any::<Entity>().filter(Column::Id.eq(id)).one().await
}

pub(crate) async fn get_locked(tx: &Tx<System>, id: TenantId) -> Result<Option<Model>> {
    tx.find_any::<Entity>().filter(Column::Id.eq(id)).locked().one().await
}

pub(crate) async fn by_slug(tx: &Tx<System>, slug: &str) -> Result<Option<Model>> {
    tx.find_any::<Entity>().filter(Column::Slug.eq(slug)).one().await
}

pub(crate) async fn oldest(tx: &Tx<System>) -> Result<Option<Model>> {
    tx.find_any::<Entity>().order_by_asc(Entity::ID).limit(1).one().await
}
