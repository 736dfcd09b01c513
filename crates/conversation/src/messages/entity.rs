//! A message.

use loam_kernel::{ChatSessionId, LlmCallId, MessageId, TenantId, TurnId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The application, to the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model used.
    Tool,
}

/// How an assistant's message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model had said what it had to say.
    Stop,
    /// At the limit of tokens.
    Length,
    /// To use tools.
    ToolCalls,
    /// The provider held it back.
    ContentFilter,
    /// Somebody stopped it: a part.
    Stopped,
    /// The server died or was stopped meanwhile: a part.
    Interrupted,
    /// The provider broke off: a part.
    Failed,
}

/// A message.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "messages", comment = "one message of a conversation")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// In which session.
    #[sea_orm(comment = "the conversation")]
    pub session_id: ChatSessionId,
    /// Of which turn.
    #[sea_orm(comment = "the turn it was written in")]
    pub turn_id: Option<TurnId>,
    /// The message that it follows.
    #[sea_orm(comment = "message that it follows; another one's too where the conversation branches")]
    pub parent_id: Option<MessageId>,
    /// Who wrote it.
    #[sea_orm(comment = "user who wrote it")]
    pub sender_id: Option<UserId>,
    /// Its place.
    #[sea_orm(comment = "1, 2, 3, … in its session")]
    pub sequence_number: i64,
    /// Who speaks.
    #[sea_orm(comment = "system, user, assistant, tool")]
    pub role: Role,
    /// What is said.
    #[sea_orm(column_type = "Text", comment = "its text")]
    pub content: String,
    /// What is said, where it isn't text alone.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "OpenAI's content parts, where it isn't text alone"
    )]
    pub parts: Option<Json>,
    /// The tools that the model wants used.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "OpenAI's tool_calls of an assistant's message"
    )]
    pub tool_calls: Option<Json>,
    /// The use of a tool that it answers.
    #[sea_orm(column_type = "Text", nullable, comment = "the tool call that a tool's message answers")]
    pub tool_call_id: Option<String>,
    /// The model that wrote it.
    #[sea_orm(column_type = "Text", nullable, comment = "the model that wrote it")]
    pub model: Option<String>,
    /// Tokens that the model read.
    #[sea_orm(comment = "tokens that the model read")]
    pub prompt_tokens: Option<i64>,
    /// Tokens that the model wrote.
    #[sea_orm(comment = "tokens that the model wrote")]
    pub completion_tokens: Option<i64>,
    /// The call that it came from.
    #[sea_orm(comment = "the model call it came from")]
    pub llm_call_id: Option<LlmCallId>,
    /// How it ended.
    #[sea_orm(comment = "stop, length, tool_calls, content_filter; a part: stopped, interrupted, failed")]
    pub finish_reason: Option<FinishReason>,
    /// The caller's own.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own; never interpreted")]
    pub metadata: Json,
    /// When its content was deleted.
    #[sea_orm(comment = "when its content was deleted; its number stays")]
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was written.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
