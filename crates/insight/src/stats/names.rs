//! The endpoint, function and version names that have sums of their own.

use loam_kernel::{ProjectId, StatNameId, TenantId};
use sea_orm::entity::prelude::*;

/// A name that was seen. Their number per project is limited; all further names are summed as `(other)`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "stat_names",
    comment = "endpoints, functions and versions that have sums of their own"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of project, kind and name")]
    pub id: StatNameId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// What the name refers to.
    #[sea_orm(column_type = "Text", comment = "endpoint, function, version")]
    pub kind: String,
    /// The name.
    #[sea_orm(column_type = "Text", comment = "the name")]
    pub name: String,
    /// First seen.
    #[sea_orm(comment = "first seen")]
    pub created_at: DateTimeUtc,
    /// Last seen.
    #[sea_orm(comment = "last seen, exact to the day")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
