//! Usage per bucket.

use loam_kernel::{ApiKeyId, NodeId, ProjectId, TenantId, UsageStatId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The length of a bucket.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[schema(as = UsageGranularity)]
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

/// What the sums of a row are limited to, beside its other dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum LabelKind {
    /// Calls of one end user.
    EndUser,
    /// Calls with one tag.
    Tag,
}

impl LabelKind {
    /// The stored name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EndUser => "end_user",
            Self::Tag => "tag",
        }
    }
}

/// The usage in a bucket, by its dimensions.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "usage_stats",
    comment = "sums of calls per minute, hour and day in which the call started"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row, a hash of its dimensions.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of the dimensions")]
    pub id: UsageStatId,
    /// The node that made the calls.
    #[sea_orm(comment = "node whose calls these are; each node writes its own rows")]
    pub node_id: NodeId,
    /// The length of the bucket.
    #[sea_orm(comment = "minute, hour, day")]
    pub granularity: Granularity,
    /// The start of the bucket.
    #[sea_orm(comment = "start of the bucket, UTC")]
    pub bucket: DateTimeUtc,
    /// The API key.
    pub api_key_id: Option<ApiKeyId>,
    /// The user.
    pub user_id: Option<UserId>,
    /// The project.
    pub project_id: Option<ProjectId>,
    /// The provider.
    #[sea_orm(column_type = "Text", comment = "name of the provider")]
    pub provider: String,
    /// The model.
    #[sea_orm(column_type = "Text", comment = "name of the model at the provider")]
    pub model: String,
    /// The source of the calls, if not the gateway.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "otlp: reported by applications, counts against no budget; null: calls of the gateway"
    )]
    pub source: Option<String>,
    /// Whether these are the calls of one end user or with one tag.
    #[sea_orm(
        comment = "end_user, tag: calls with this label alone, which the rows without a label contain too; null: all calls"
    )]
    pub label_kind: Option<LabelKind>,
    /// The end user or the tag.
    #[sea_orm(column_type = "Text", nullable, comment = "the end user or the tag; null: all calls")]
    pub label: Option<String>,
    /// Calls.
    #[sea_orm(comment = "calls that ended, failed ones included, refused ones not")]
    pub calls: i64,
    /// Calls that Loam refused.
    #[sea_orm(comment = "calls that Loam refused; null in rows of versions without them: 0")]
    pub refused: Option<i64>,
    /// Calls that failed.
    #[sea_orm(comment = "of these: failed")]
    pub errors: i64,
    /// Calls whose tokens Loam counted.
    #[sea_orm(comment = "of these: tokens counted by Loam")]
    pub estimated: i64,
    /// Calls that were never settled.
    #[sea_orm(comment = "of these: in progress when the server died")]
    pub orphaned: i64,
    /// Calls served from the response cache.
    #[sea_orm(comment = "of these: served from the response cache")]
    pub cache_hits: i64,
    /// Prompt tokens.
    #[sea_orm(comment = "prompt tokens, including cached ones")]
    pub prompt_tokens: i64,
    /// Completion tokens.
    #[sea_orm(comment = "completion tokens")]
    pub completion_tokens: i64,
    /// Prompt and completion tokens.
    #[sea_orm(comment = "prompt and completion tokens")]
    pub total_tokens: i64,
    /// Tokens read from the provider's cache.
    #[sea_orm(comment = "prompt tokens read from the provider's cache")]
    pub cached_tokens: i64,
    /// What else was used.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "thousandths of characters, images, seconds and searches, by unit; null: only tokens were counted"
    )]
    pub quantities: Option<Json>,
    /// Their cost.
    #[sea_orm(comment = "nano-dollars")]
    pub cost_nano_usd: i64,
    /// What orphaned calls may have cost.
    #[sea_orm(
        comment = "nano-dollars that orphaned calls had reserved; counts against budgets, not in bills"
    )]
    pub unsettled_nano_usd: i64,
    /// Their latencies.
    #[sea_orm(
        column_type = "Blob",
        comment = "sketch of the latencies of successful calls, in microseconds"
    )]
    pub latency: Vec<u8>,
    /// When the row was last updated.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
