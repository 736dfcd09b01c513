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
    /// Its wire format.
    #[sea_orm(column_type = "Text", comment = "kind: openai, anthropic, qwen, deepseek, ollama, dify")]
    pub kind: String,
    /// The name for people.
    #[sea_orm(column_type = "Text", comment = "name for people")]
    pub display_name: String,
    /// How to reach it.
    #[sea_orm(column_type = "JsonBinary", comment = "as the kind's config_schema says; secrets sealed")]
    pub config: Json,
    /// Whether it is called.
    #[sea_orm(comment = "false: its models can't be called")]
    pub is_active: bool,
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

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
