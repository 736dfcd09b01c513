//! A price.

use loam_kernel::{ModelPriceId, TenantId};
use sea_orm::entity::prelude::*;

/// What a model costs at a provider.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "model_prices", comment = "what a model costs at a provider")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The price.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ModelPriceId,
    /// The provider.
    #[sea_orm(column_type = "Text", comment = "name of the provider")]
    pub provider: String,
    /// The model.
    #[sea_orm(
        column_type = "Text",
        comment = "name of the model at the provider; `*` for all that have no price of their own"
    )]
    pub model: String,
    /// Tokens read.
    #[sea_orm(comment = "nano-dollars a million tokens read")]
    pub input_nano_usd: i64,
    /// Tokens read from the provider's cache.
    #[sea_orm(
        comment = "nano-dollars a million tokens read from the provider's cache; null: as other input"
    )]
    pub cached_input_nano_usd: Option<i64>,
    /// Tokens written to the provider's cache.
    #[sea_orm(
        comment = "nano-dollars a million tokens read that the provider wrote to its cache; null: as other input"
    )]
    pub cache_write_nano_usd: Option<i64>,
    /// Tokens written.
    #[sea_orm(comment = "nano-dollars a million tokens written")]
    pub output_nano_usd: i64,
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
