//! A call.

use loam_kernel::{ApiKeyId, LlmCallId, NodeId, ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a call's account has come.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Under way.
    #[default]
    Open,
    /// Ended, with the provider's own usage.
    Settled,
    /// Ended without usage, or cut: counted by Loam.
    Estimated,
    /// The provider refused it or could not be reached.
    Failed,
    /// The server died while it was under way.
    Orphaned,
}

impl CallState {
    /// The state as it is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::Estimated => "estimated",
            Self::Failed => "failed",
            Self::Orphaned => "orphaned",
        }
    }
}

/// What the response cache did for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CacheUse {
    /// It gave the answer.
    Hit,
    /// It had none.
    Miss,
}

impl CacheUse {
    /// The word as it is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// A model call.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "llm_calls", comment = "one call of a model, accounted exactly once")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The call.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LlmCallId,
    /// The node that made it.
    #[sea_orm(comment = "node that made the call, known by its journal")]
    pub node_id: NodeId,
    /// How far its account has come.
    #[sea_orm(
        comment = "open, settled (usage from the provider), estimated (counted by Loam), failed, orphaned (the server died)"
    )]
    pub state: CallState,
    /// Where it was seen.
    #[sea_orm(column_type = "Text", comment = "gateway: Loam made it; otlp: an application told of it")]
    pub source: String,
    /// The provider.
    #[sea_orm(column_type = "Text", comment = "name of the provider")]
    pub provider: String,
    /// The model.
    #[sea_orm(column_type = "Text", comment = "name of the model at the provider")]
    pub model: String,
    /// What was asked.
    #[sea_orm(column_type = "Text", comment = "path at the provider")]
    pub endpoint: String,
    /// The alias.
    #[sea_orm(column_type = "Text", nullable, comment = "alias of the route that was called")]
    pub route: Option<String>,
    /// Who asked.
    pub api_key_id: Option<ApiKeyId>,
    /// For whom.
    pub user_id: Option<UserId>,
    /// For what.
    pub project_id: Option<ProjectId>,
    /// In which conversation.
    #[sea_orm(column_type = "Text", nullable, comment = "conversation that the client named")]
    pub session_id: Option<String>,
    /// For whom of the application's own.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the application's own end user, as its request said; a digest where that is longer than 255 bytes"
    )]
    pub end_user: Option<String>,
    /// The request.
    #[sea_orm(column_type = "Text", comment = "x-request-id of the client's request")]
    pub request_id: String,
    /// The trace.
    #[sea_orm(column_type = "Text", nullable, comment = "W3C trace id")]
    pub trace_id: Option<String>,
    /// The span that called.
    #[sea_orm(column_type = "Text", nullable, comment = "W3C id of the span that called")]
    pub span_id: Option<String>,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// The provider's status.
    #[sea_orm(comment = "HTTP status of the provider; null when it did not answer")]
    pub status_code: Option<i32>,
    /// What went wrong.
    #[sea_orm(column_type = "Text", nullable, comment = "what went wrong")]
    pub error_message: Option<String>,
    /// Tokens read.
    #[sea_orm(comment = "tokens read, cached ones included")]
    pub prompt_tokens: Option<i64>,
    /// Tokens written.
    #[sea_orm(comment = "tokens written")]
    pub completion_tokens: Option<i64>,
    /// Both.
    #[sea_orm(comment = "tokens read and written")]
    pub total_tokens: Option<i64>,
    /// Tokens read from the provider's cache.
    #[sea_orm(comment = "tokens read from the provider's cache")]
    pub cached_tokens: Option<i64>,
    /// Tokens written to the provider's cache.
    #[sea_orm(comment = "tokens read that the provider wrote to its cache")]
    pub cache_write_tokens: Option<i64>,
    /// What it cost.
    #[sea_orm(comment = "nano-dollars; null when the model had no price")]
    pub cost_nano_usd: Option<i64>,
    /// What was held back for it.
    #[sea_orm(
        comment = "nano-dollars held back against budgets while it was under way; null without a budget"
    )]
    pub reserved_nano_usd: Option<i64>,
    /// What the response cache did.
    #[sea_orm(comment = "hit: answered from the response cache; miss; null where it is not used")]
    pub cache: Option<CacheUse>,
    /// How long it took.
    #[sea_orm(comment = "microseconds from the client's request to the end of the answer")]
    pub latency_us: Option<i64>,
    /// How long its first byte took.
    #[sea_orm(comment = "microseconds from the client's request to the first byte of the answer's body")]
    pub first_token_us: Option<i64>,
    /// What was tried.
    #[sea_orm(column_type = "JsonBinary", comment = "each try: target, status, time, error")]
    pub attempts: Json,
    /// What was asked.
    #[sea_orm(column_type = "Blob", nullable, comment = "body of the request, packed with zstd")]
    pub request_data: Option<Vec<u8>>,
    /// What was answered.
    #[sea_orm(column_type = "Blob", nullable, comment = "body of the answer, packed with zstd")]
    pub response_data: Option<Vec<u8>>,
    /// When its bodies were deleted.
    #[sea_orm(comment = "when the bodies were deleted; null while they are there, or if none were kept")]
    pub bodies_deleted_at: Option<DateTimeUtc>,
    /// When it was asked.
    pub created_at: DateTimeUtc,
    /// When its state changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
