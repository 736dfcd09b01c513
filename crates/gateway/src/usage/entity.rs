//! What was used.

use loam_kernel::{ApiKeyId, NodeId, ProjectId, TenantId, UsageStatId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a stretch of time is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, UTC.
    Day,
}

/// What was used in a stretch of time, by who used it and what.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "usage_stats",
    comment = "sums of calls by minute, hour and day; by when a call began"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row, made from its dimensions.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of the dimensions")]
    pub id: UsageStatId,
    /// The node that made the calls.
    #[sea_orm(comment = "node whose calls these are; each node writes its own rows")]
    pub node_id: NodeId,
    /// How long.
    #[sea_orm(comment = "minute, hour, day")]
    pub granularity: Granularity,
    /// Since when.
    #[sea_orm(comment = "when the stretch begins, UTC")]
    pub bucket: DateTimeUtc,
    /// Who asked.
    pub api_key_id: Option<ApiKeyId>,
    /// For whom.
    pub user_id: Option<UserId>,
    /// For what.
    pub project_id: Option<ProjectId>,
    /// The provider.
    #[sea_orm(column_type = "Text", comment = "name of the provider")]
    pub provider: String,
    /// The model.
    #[sea_orm(column_type = "Text", comment = "name of the model at the provider")]
    pub model: String,
    /// Who told of the calls.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "otlp: told by applications, counts against no budget; null: Loam's own calls"
    )]
    pub source: Option<String>,
    /// Calls.
    #[sea_orm(comment = "calls that ended, however")]
    pub calls: i64,
    /// Those that failed.
    #[sea_orm(comment = "of these: failed")]
    pub errors: i64,
    /// Those counted by Loam.
    #[sea_orm(comment = "of these: tokens counted by Loam")]
    pub estimated: i64,
    /// Those that nobody settled.
    #[sea_orm(comment = "of these: under way when the server died")]
    pub orphaned: i64,
    /// Those answered from the cache.
    #[sea_orm(comment = "of these: answered from the response cache")]
    pub cache_hits: i64,
    /// Tokens read.
    #[sea_orm(comment = "tokens read, cached ones included")]
    pub prompt_tokens: i64,
    /// Tokens written.
    #[sea_orm(comment = "tokens written")]
    pub completion_tokens: i64,
    /// Both.
    #[sea_orm(comment = "tokens read and written")]
    pub total_tokens: i64,
    /// Tokens read from the provider's cache.
    #[sea_orm(comment = "tokens read from the provider's cache")]
    pub cached_tokens: i64,
    /// What they cost.
    #[sea_orm(comment = "nano-dollars")]
    pub cost_nano_usd: i64,
    /// What orphaned calls may have cost.
    #[sea_orm(
        comment = "nano-dollars that orphaned calls had reserved; counts against budgets, not in bills"
    )]
    pub unsettled_nano_usd: i64,
    /// How long they took.
    #[sea_orm(column_type = "Blob", comment = "sketch of the latencies of answered calls, in microseconds")]
    pub latency: Vec<u8>,
    /// When it was last added to.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
