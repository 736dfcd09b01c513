//! A model call in the ledger.

use loam_kernel::{ApiKeyId, LlmCallId, NodeId, ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The accounting state of a call.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// In progress.
    #[default]
    Open,
    /// Ended, with usage from the provider.
    Settled,
    /// Ended without usage, or truncated: Loam counted the tokens.
    Estimated,
    /// The provider rejected it or could not be reached.
    Failed,
    /// The server died while it was in progress.
    Orphaned,
    /// Loam refused it, for a limit, a missing permission or an unknown model: no provider was called.
    Refused,
}

impl CallState {
    /// The stored name of the state.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::Estimated => "estimated",
            Self::Failed => "failed",
            Self::Orphaned => "orphaned",
            Self::Refused => "refused",
        }
    }
}

/// The result of the response cache for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CacheUse {
    /// The response was cached.
    Hit,
    /// The response was not cached.
    Miss,
}

impl CacheUse {
    /// The stored name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// A model call.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "llm_calls", comment = "a model call, accounted exactly once")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The call.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LlmCallId,
    /// The node that made it.
    #[sea_orm(comment = "node that made the call, identified by its journal")]
    pub node_id: NodeId,
    /// The accounting state.
    #[sea_orm(
        comment = "open, settled (usage from the provider), estimated (counted by Loam), failed, orphaned (the server died), refused (by Loam)"
    )]
    pub state: CallState,
    /// Its source.
    #[sea_orm(
        column_type = "Text",
        comment = "gateway: made through Loam; otlp: reported by an application"
    )]
    pub source: String,
    /// The provider.
    #[sea_orm(column_type = "Text", comment = "name of the provider")]
    pub provider: String,
    /// The model.
    #[sea_orm(column_type = "Text", comment = "name of the model at the provider")]
    pub model: String,
    /// The endpoint.
    #[sea_orm(column_type = "Text", comment = "path at the provider")]
    pub endpoint: String,
    /// The alias of the route.
    #[sea_orm(column_type = "Text", nullable, comment = "alias of the called route")]
    pub route: Option<String>,
    /// The API key.
    pub api_key_id: Option<ApiKeyId>,
    /// The user.
    pub user_id: Option<UserId>,
    /// The project.
    pub project_id: Option<ProjectId>,
    /// The conversation.
    #[sea_orm(column_type = "Text", nullable, comment = "conversation that the client named")]
    pub session_id: Option<String>,
    /// The application's end user.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the application's end user, from the request; a digest if longer than 255 bytes"
    )]
    pub end_user: Option<String>,
    /// Its tags.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "the tags of the client's x-loam-tags; null: none"
    )]
    pub tags: Option<Json>,
    /// The client's metadata.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "`metadata` of the request; null: none")]
    pub metadata: Option<Json>,
    /// Why it was refused.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "why Loam refused it: code, limit, what was needed and left, when it is free again; null otherwise"
    )]
    pub refusal: Option<Json>,
    /// Refused calls.
    #[sea_orm(
        comment = "number of calls that were refused for the same reason in a minute, which are one row; null otherwise"
    )]
    pub refused_calls: Option<i64>,
    /// The request ID.
    #[sea_orm(column_type = "Text", comment = "x-request-id of the client's request")]
    pub request_id: String,
    /// The trace ID.
    #[sea_orm(column_type = "Text", nullable, comment = "W3C trace id")]
    pub trace_id: Option<String>,
    /// The calling span's ID.
    #[sea_orm(column_type = "Text", nullable, comment = "W3C span id of the caller")]
    pub span_id: Option<String>,
    /// The id of the response.
    #[sea_orm(column_type = "Text", nullable, comment = "id of the response, as the client received it")]
    pub response_id: Option<String>,
    /// The spans that report the same call.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "of a reported call: scopes of the spans that report it, and ids of other spans that are the same call if they report one"
    )]
    pub span_links: Option<Json>,
    /// Whether the response was streamed.
    pub streamed: bool,
    /// The provider's HTTP status.
    #[sea_orm(comment = "HTTP status of the provider; null if it did not respond")]
    pub status_code: Option<i32>,
    /// The error message.
    #[sea_orm(column_type = "Text", nullable, comment = "error message")]
    pub error_message: Option<String>,
    /// Prompt tokens.
    #[sea_orm(comment = "prompt tokens, including cached ones")]
    pub prompt_tokens: Option<i64>,
    /// Completion tokens.
    #[sea_orm(comment = "completion tokens")]
    pub completion_tokens: Option<i64>,
    /// Prompt and completion tokens.
    #[sea_orm(comment = "prompt and completion tokens")]
    pub total_tokens: Option<i64>,
    /// Prompt tokens read from the provider's cache.
    #[sea_orm(comment = "prompt tokens read from the provider's cache")]
    pub cached_tokens: Option<i64>,
    /// Prompt tokens written to the provider's cache.
    #[sea_orm(comment = "prompt tokens written to the provider's cache")]
    pub cache_write_tokens: Option<i64>,
    /// What the quantity counts.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "what the quantity counts: characters, images, seconds or searches; null if only tokens count"
    )]
    pub unit: Option<String>,
    /// The quantity.
    #[sea_orm(comment = "thousandths of the unit")]
    pub quantity_milli: Option<i64>,
    /// Its cost.
    #[sea_orm(comment = "nano-dollars; null when the model had no price")]
    pub cost_nano_usd: Option<i64>,
    /// The cost reserved for it.
    #[sea_orm(
        comment = "nano-dollars reserved against budgets while it was in progress; null without a budget"
    )]
    pub reserved_nano_usd: Option<i64>,
    /// The result of the response cache.
    #[sea_orm(comment = "hit: served from the response cache; miss; null if it is not used")]
    pub cache: Option<CacheUse>,
    /// Its latency.
    #[sea_orm(comment = "microseconds from the client's request to the end of the response")]
    pub latency_us: Option<i64>,
    /// The time to its first byte.
    #[sea_orm(comment = "microseconds from the client's request to the first byte of the response's body")]
    pub first_token_us: Option<i64>,
    /// The attempts.
    #[sea_orm(column_type = "JsonBinary", comment = "each attempt: target, status, duration, error")]
    pub attempts: Json,
    /// The request body.
    #[sea_orm(column_type = "Blob", nullable, comment = "request body, compressed with zstd")]
    pub request_data: Option<Vec<u8>>,
    /// The response body.
    #[sea_orm(column_type = "Blob", nullable, comment = "response body, compressed with zstd")]
    pub response_data: Option<Vec<u8>>,
    /// When its bodies were deleted.
    #[sea_orm(comment = "when the bodies were deleted; null while they exist, or if none were recorded")]
    pub bodies_deleted_at: Option<DateTimeUtc>,
    /// When it started.
    pub created_at: DateTimeUtc,
    /// When its state changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
