//! A route.

use loam_kernel::{ModelRouteId, TenantId};
use sea_orm::entity::prelude::*;

/// An alias, and the models that calls of it go to.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "model_routes", comment = "an alias, and the models that calls of it go to")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The route.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ModelRouteId,
    /// What clients send as `model`.
    #[sea_orm(column_type = "Text", comment = "what clients send as `model`; unique in the tenant")]
    pub alias: String,
    /// Where calls go.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "provider and model, or another alias; order and weight"
    )]
    pub targets: Json,
    /// How long the steps may take.
    #[sea_orm(column_type = "JsonBinary", comment = "seconds: connect, first_token, idle, total")]
    pub timeouts: Json,
    /// How often all targets are tried again.
    #[sea_orm(column_type = "JsonBinary", comment = "rounds and pauses")]
    pub retries: Json,
    /// When a failing target is left alone.
    #[sea_orm(column_type = "JsonBinary", comment = "failures and seconds")]
    pub cool_down: Json,
    /// How long answers are kept.
    #[sea_orm(comment = "seconds that an answer is given again to the same request; null: never")]
    pub cache_seconds: Option<i32>,
    /// Whether it can be called.
    #[sea_orm(comment = "false: the alias can't be called")]
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
