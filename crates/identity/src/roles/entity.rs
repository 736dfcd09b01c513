//! A role that a tenant made.

use loam_kernel::{RoleId, TenantId};
use sea_orm::entity::prelude::*;

/// A name for a set of permissions.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "roles", comment = "a role that a tenant made; the built-in ones are in the code")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The role.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RoleId,
    /// What users carry.
    #[sea_orm(column_type = "Text", comment = "what users carry; unique in the tenant, and never changed")]
    pub name: String,
    /// What it is for.
    #[sea_orm(column_type = "Text", comment = "what it is for")]
    pub description: String,
    /// What it allows.
    #[sea_orm(column_type = "JsonBinary", comment = "permissions; `*` is everything")]
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
