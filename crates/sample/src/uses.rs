//! The uses of tools, as far as cleaning has to know them: their ids.

use loam_kernel::TenantId;
use sea_orm::entity::prelude::*;

/// A use of a tool.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tool_calls")]
pub(crate) struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: TenantId,
    /// The use.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
