//! A notice of change.

use loam_kernel::{TenantId, UserId};
use sea_orm::entity::prelude::*;

/// Something that others may keep in memory has changed.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "change_notices",
    comment = "something that other processes may keep in memory has changed; kept for an hour"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The notice.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The table.
    #[sea_orm(column_type = "Text", comment = "table of what changed")]
    pub topic: String,
    /// The row.
    #[sea_orm(comment = "id of what changed")]
    pub subject_id: Uuid,
    /// Whose.
    #[sea_orm(comment = "user whose it is, where something is kept by user")]
    pub owner_id: Option<UserId>,
    /// When.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
