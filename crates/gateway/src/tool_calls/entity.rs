//! A tool call.

use loam_kernel::{ChatSessionId, LlmCallId, MessageId, TenantId, ToolCallId, TurnId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ToolCallStatus {
    /// The client has to run it, and has not sent the result yet.
    Waiting,
    /// Loam is running it.
    Running,
    /// It returned a result.
    Succeeded,
    /// It failed.
    Failed,
    /// It returned no result in time.
    TimedOut,
}

/// A tool call.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tool_calls", comment = "one tool call")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The tool call.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ToolCallId,
    /// The conversation.
    #[sea_orm(comment = "the conversation")]
    pub session_id: Option<ChatSessionId>,
    /// The turn.
    #[sea_orm(comment = "the turn")]
    pub turn_id: Option<TurnId>,
    /// The message that requested it.
    #[sea_orm(comment = "the assistant's message that requested it")]
    pub message_id: Option<MessageId>,
    /// The model call that requested it.
    #[sea_orm(comment = "the model call that requested it")]
    pub llm_call_id: Option<LlmCallId>,
    /// The user of the conversation.
    #[sea_orm(comment = "user of the conversation; null: the application")]
    pub user_id: Option<UserId>,
    /// The model's id of the tool call.
    #[sea_orm(column_type = "Text", comment = "the model's id of the tool call")]
    pub call_id: String,
    /// The tool.
    #[sea_orm(column_type = "Text", comment = "name of the tool")]
    pub tool_name: String,
    /// Its arguments.
    #[sea_orm(
        column_type = "Text",
        comment = "its arguments as the model wrote them: JSON, the first 64 KiB"
    )]
    pub tool_args: String,
    /// Its result.
    #[sea_orm(column_type = "Text", nullable, comment = "its result, the first 64 KiB")]
    pub result: Option<String>,
    /// Its status.
    #[sea_orm(comment = "waiting (for the client), running, succeeded, failed, timed_out")]
    pub status: ToolCallStatus,
    /// Its duration.
    #[sea_orm(comment = "milliseconds until its result or failure")]
    pub duration_ms: Option<i64>,
    /// Its error.
    #[sea_orm(column_type = "Text", nullable, comment = "error message")]
    pub error_message: Option<String>,
    /// The trace.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "W3C trace id, if an application reported the tool call"
    )]
    pub trace_id: Option<String>,
    /// The span.
    #[sea_orm(column_type = "Text", nullable, comment = "W3C span id of the tool call")]
    pub span_id: Option<String>,
    /// When it was requested.
    pub created_at: DateTimeUtc,
    /// When its status changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
