//! A use of a tool.

use loam_kernel::{ChatSessionId, LlmCallId, MessageId, TenantId, ToolCallId, TurnId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far the use of a tool has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ToolCallStatus {
    /// The client has to use it, and hasn't said what came of it.
    Waiting,
    /// Loam uses it now.
    Running,
    /// It gave a result.
    Succeeded,
    /// It gave none.
    Failed,
    /// It gave none in time.
    TimedOut,
}

/// A use of a tool.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tool_calls", comment = "one use of a tool")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The use.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ToolCallId,
    /// In which conversation.
    #[sea_orm(comment = "the conversation")]
    pub session_id: Option<ChatSessionId>,
    /// In which turn of it.
    #[sea_orm(comment = "the turn")]
    pub turn_id: Option<TurnId>,
    /// The message that asked for it.
    #[sea_orm(comment = "the assistant's message that asked for it")]
    pub message_id: Option<MessageId>,
    /// The model call that asked for it.
    #[sea_orm(comment = "the model call that asked for it")]
    pub llm_call_id: Option<LlmCallId>,
    /// Whose conversation it is.
    #[sea_orm(comment = "whose conversation it is; null: the application's")]
    pub user_id: Option<UserId>,
    /// The model's own id of it.
    #[sea_orm(column_type = "Text", comment = "the model's own id of it")]
    pub call_id: String,
    /// The tool.
    #[sea_orm(column_type = "Text", comment = "name of the tool")]
    pub tool_name: String,
    /// What it was asked.
    #[sea_orm(
        column_type = "Text",
        comment = "its arguments as the model wrote them: JSON, the first 64 KiB"
    )]
    pub tool_args: String,
    /// What it gave.
    #[sea_orm(column_type = "Text", nullable, comment = "what it gave, the first 64 KiB")]
    pub result: Option<String>,
    /// How far it has come.
    #[sea_orm(comment = "waiting (for the client), running, succeeded, failed, timed_out")]
    pub status: ToolCallStatus,
    /// How long it took.
    #[sea_orm(comment = "milliseconds until its result, or its failure")]
    pub duration_ms: Option<i64>,
    /// What went wrong.
    #[sea_orm(column_type = "Text", nullable, comment = "what went wrong")]
    pub error_message: Option<String>,
    /// The trace.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "W3C trace id, of a use that an application told of"
    )]
    pub trace_id: Option<String>,
    /// The span.
    #[sea_orm(column_type = "Text", nullable, comment = "W3C id of the span that it is")]
    pub span_id: Option<String>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When its status changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
