//! A price.

use loam_kernel::{ModelPriceId, TenantId};
use sea_orm::entity::prelude::*;

/// The price of a model at a provider.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "model_prices", comment = "the price of a model at a provider")]
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
        comment = "name of the model at the provider; `*` for all without a price of their own"
    )]
    pub model: String,
    /// Price of prompt tokens.
    #[sea_orm(comment = "nano-dollars per million prompt tokens")]
    pub input_nano_usd: i64,
    /// Price of prompt tokens read from the provider's cache.
    #[sea_orm(
        comment = "nano-dollars per million prompt tokens read from the provider's cache; null: as other input"
    )]
    pub cached_input_nano_usd: Option<i64>,
    /// Price of prompt tokens written to the provider's cache.
    #[sea_orm(
        comment = "nano-dollars per million prompt tokens written to the provider's cache; null: as other input"
    )]
    pub cache_write_nano_usd: Option<i64>,
    /// Price of completion tokens.
    #[sea_orm(comment = "nano-dollars per million completion tokens")]
    pub output_nano_usd: i64,
    /// Price of a unit.
    #[sea_orm(
        comment = "nano-dollars per character, image, second or search, whichever a call is counted by; null: none"
    )]
    pub unit_nano_usd: Option<i64>,
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
