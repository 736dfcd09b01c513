//! A tenant.

use loam_kernel::TenantId;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Everything is allowed.
    Active,
    /// Read-only; model calls return 403.
    Suspended,
    /// Only exports are allowed.
    Archived,
}

/// A tenant: an isolated customer of the instance.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenants", comment = "an isolated customer of the instance")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TenantId,
    /// Slug.
    #[sea_orm(column_type = "Text", comment = "name for URLs and the command line; unique")]
    pub slug: String,
    /// Display name.
    #[sea_orm(column_type = "Text", comment = "display name")]
    pub name: String,
    /// Status.
    #[sea_orm(comment = "active; suspended: read-only; archived: exports only")]
    pub status: TenantStatus,
    /// Plan.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "name of the tenant's plan, which Loam does not interpret"
    )]
    pub plan: Option<String>,
    /// Its limits.
    #[sea_orm(column_type = "JsonBinary", comment = "maximum numbers of users, projects and API keys")]
    pub quotas: Json,
    /// Its settings.
    #[sea_orm(column_type = "JsonBinary", comment = "settings of the tenant")]
    pub settings: Json,
    /// The caller's own data.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own data, which Loam does not interpret")]
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

// a tenant's scope sees only its own row
loam_db::tenant_entity!(Entity, Column::Id, Column::Id);
