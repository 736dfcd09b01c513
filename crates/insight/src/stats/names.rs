//! The names that sums tell apart.

use loam_kernel::{ProjectId, StatNameId, TenantId};
use sea_orm::entity::prelude::*;

/// A name that was met. A project has so many at most; others are summed as one.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "stat_names", comment = "endpoints, functions and versions that sums tell apart")]
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
    /// Of what.
    #[sea_orm(column_type = "Text", comment = "endpoint, function, version")]
    pub kind: String,
    /// The name.
    #[sea_orm(column_type = "Text", comment = "the name")]
    pub name: String,
    /// When it was first met.
    #[sea_orm(comment = "when it was first met")]
    pub created_at: DateTimeUtc,
    /// When it was last met.
    #[sea_orm(comment = "the day on which it was last met, or later")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
