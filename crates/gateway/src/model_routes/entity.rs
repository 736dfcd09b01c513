//! A route.

use loam_kernel::{ModelRouteId, TenantId};
use sea_orm::entity::prelude::*;

/// An alias, and the models that its calls are sent to.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "model_routes", comment = "an alias, and the models that its calls are sent to")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The route.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ModelRouteId,
    /// The alias that clients send as `model`.
    #[sea_orm(
        column_type = "Text",
        comment = "the alias that clients send as `model`; unique in the tenant"
    )]
    pub alias: String,
    /// The targets of calls.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "provider and model, or another alias; order and weight"
    )]
    pub targets: Json,
    /// Timeouts of a call's steps.
    #[sea_orm(column_type = "JsonBinary", comment = "seconds: connect, first_token, idle, total")]
    pub timeouts: Json,
    /// How often all targets are retried.
    #[sea_orm(column_type = "JsonBinary", comment = "rounds and pauses")]
    pub retries: Json,
    /// When a failing target cools down.
    #[sea_orm(column_type = "JsonBinary", comment = "failures and seconds")]
    pub cool_down: Json,
    /// How long responses are cached.
    #[sea_orm(comment = "seconds for which a response is cached for identical requests; null: not cached")]
    pub cache_seconds: Option<i32>,
    /// Whether it can be called.
    #[sea_orm(comment = "false: the alias can't be called")]
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
