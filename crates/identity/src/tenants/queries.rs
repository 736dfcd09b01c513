//! Queries of tenants. An operator sees all of them; everybody else their own.

use loam_db::{System, TenantEntity, Tx};
use loam_kernel::{Page, PageQuery, Result, TenantId};
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{Column, Entity, Model};
use super::service::TenantFilter;

pub(crate) async fn list(tx: &Tx<System>, filter: &TenantFilter, query: &PageQuery) -> Result<Page<Model>> {
    let mut find = tx.find_any::<Entity>();
    if let Some(slug) = &filter.slug {
        find = find.filter(Column::Slug.eq(slug));
    }
    find.page(query, |row| row.id.0).await
}

/// The ids of all tenants.
///
/// # Errors
/// On a database error.
pub async fn ids(tx: &Tx<System>) -> Result<Vec<TenantId>> {
    let rows: Vec<Id> = tx.find_any::<Entity>().partial().await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct Id {
    id: TenantId,
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
