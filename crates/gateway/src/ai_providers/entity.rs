//! A provider.

use loam_kernel::{AiProviderId, TenantId};
use sea_orm::entity::prelude::*;

/// A model provider that a tenant has configured.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ai_providers", comment = "a model provider that a tenant has configured")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The provider.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AiProviderId,
    /// The first half of `provider/model`.
    #[sea_orm(column_type = "Text", comment = "first half of `provider/model`; unique in the tenant")]
    pub name: String,
    /// The kind, which sets the wire format.
    #[sea_orm(column_type = "Text", comment = "kind: openai, anthropic, qwen, deepseek, ollama, dify")]
    pub kind: String,
    /// The display name.
    #[sea_orm(column_type = "Text", comment = "display name")]
    pub display_name: String,
    /// The configuration.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "configuration, valid under the kind's config_schema; secrets sealed"
    )]
    pub config: Json,
    /// Whether its models can be called.
    #[sea_orm(comment = "false: its models can't be called")]
    pub is_active: bool,
    /// The caller's metadata.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's metadata; never interpreted")]
    pub metadata: Json,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it was last changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
