//! A value that is set.

use loam_kernel::{SystemConfigId, TenantId};
use sea_orm::entity::prelude::*;

/// What is set for a key, for the instance or a tenant.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "system_config",
    comment = "a value of the live configuration, set over the default: for the instance (the nil tenant) or a tenant"
)]
pub struct Model {
    /// The tenant; nil for the instance.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SystemConfigId,
    /// Which key.
    #[sea_orm(column_type = "Text", comment = "key, as declared in code")]
    pub config_key: String,
    /// The value.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "what is set; fields that are left out keep the value below"
    )]
    pub config_value: Json,
    /// What the key is for.
    #[sea_orm(column_type = "Text", comment = "what the key is for, as declared in code")]
    pub description: String,
    /// What it belongs to.
    #[sea_orm(column_type = "Text", comment = "first part of the key: records, system_limits, …")]
    pub category: String,
    /// Whether it holds.
    #[sea_orm(comment = "false once it was taken back: the value below holds")]
    pub is_active: bool,
    /// Its version.
    #[sea_orm(comment = "number of its changes; the versions themselves are in system_config_versions")]
    pub version: i64,
    /// When it was first set.
    pub created_at: DateTimeUtc,
    /// When it was changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
