//! A tenant.

use loam_kernel::TenantId;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a tenant may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Everything.
    Active,
    /// Read only; model calls answer 403.
    Suspended,
    /// Nothing but export.
    Archived,
}

/// A customer, whose rows no other customer sees.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenants", comment = "a customer, whose rows no other customer sees")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TenantId,
    /// Its name in URLs and on the command line.
    #[sea_orm(column_type = "Text", comment = "name for URLs and the command line; unique")]
    pub slug: String,
    /// Its name for people.
    #[sea_orm(column_type = "Text", comment = "name for people")]
    pub name: String,
    /// What it may do.
    #[sea_orm(comment = "active; suspended: read only; archived: nothing but export")]
    pub status: TenantStatus,
    /// What it pays for.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the caller's own word for what the tenant pays for"
    )]
    pub plan: Option<String>,
    /// Its limits.
    #[sea_orm(column_type = "JsonBinary", comment = "limits agreed with the tenant")]
    pub quotas: Json,
    /// Its settings.
    #[sea_orm(column_type = "JsonBinary", comment = "settings of the tenant")]
    pub settings: Json,
    /// The caller's own.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own; never interpreted")]
    pub metadata: Json,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

// a tenant's scope sees its own row alone
loam_db::tenant_entity!(Entity, Column::Id, Column::Id);
