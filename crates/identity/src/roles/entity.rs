//! A role defined by a tenant.

use loam_kernel::{RoleId, TenantId};
use sea_orm::entity::prelude::*;

/// A name for a set of permissions.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "roles", comment = "a role defined by a tenant; built-in roles are in the code")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The role.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RoleId,
    /// Name.
    #[sea_orm(
        column_type = "Text",
        comment = "name that users are assigned; unique in the tenant, immutable"
    )]
    pub name: String,
    /// Description.
    #[sea_orm(column_type = "Text", comment = "description of its purpose")]
    pub description: String,
    /// Permissions.
    #[sea_orm(column_type = "JsonBinary", comment = "permissions; `*` for all")]
    pub permissions: Json,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
