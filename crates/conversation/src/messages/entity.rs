//! A message.

use loam_kernel::{ChatSessionId, LlmCallId, MessageId, TenantId, TurnId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The topic of notices about a session's messages. The subject of a notice is the session.
pub(crate) const TOPIC: &str = "messages";

/// Role of the author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions of the application.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Result of a tool call.
    Tool,
}

/// Why the assistant's message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model finished.
    Stop,
    /// The token limit was reached.
    Length,
    /// The model requested tool calls.
    ToolCalls,
    /// The provider filtered the content.
    ContentFilter,
    /// The turn was stopped; the content is partial.
    Stopped,
    /// The server stopped or crashed; the content is partial.
    Interrupted,
    /// The provider failed; the content is partial.
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
    /// Session ID.
    #[sea_orm(comment = "session ID")]
    pub session_id: ChatSessionId,
    /// Turn ID.
    #[sea_orm(comment = "ID of the turn that wrote it")]
    pub turn_id: Option<TurnId>,
    /// ID of the parent message.
    #[sea_orm(
        comment = "ID of the parent message; several messages have the same parent where the conversation branches"
    )]
    pub parent_id: Option<MessageId>,
    /// ID of the user who wrote it.
    #[sea_orm(comment = "ID of the user who wrote it")]
    pub sender_id: Option<UserId>,
    /// Position in the session.
    #[sea_orm(comment = "position in the session: 1, 2, 3, …")]
    pub sequence_number: i64,
    /// Role of the author.
    #[sea_orm(comment = "system, user, assistant, tool")]
    pub role: Role,
    /// Text.
    #[sea_orm(column_type = "Text", comment = "text; of content parts, the joined text parts")]
    pub content: String,
    /// Content parts, unless it is plain text.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "OpenAI's content parts; null for plain text")]
    pub parts: Option<Json>,
    /// Tool calls requested by the model.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "OpenAI's tool_calls of an assistant message")]
    pub tool_calls: Option<Json>,
    /// ID of the tool call that it answers.
    #[sea_orm(column_type = "Text", nullable, comment = "ID of the tool call that a tool message answers")]
    pub tool_call_id: Option<String>,
    /// Model that wrote it.
    #[sea_orm(column_type = "Text", nullable, comment = "model that wrote it")]
    pub model: Option<String>,
    /// Prompt tokens of the model call.
    #[sea_orm(comment = "prompt tokens of the model call")]
    pub prompt_tokens: Option<i64>,
    /// Completion tokens of the model call.
    #[sea_orm(comment = "completion tokens of the model call")]
    pub completion_tokens: Option<i64>,
    /// ID of the model call that produced it.
    #[sea_orm(comment = "ID of the model call that produced it")]
    pub llm_call_id: Option<LlmCallId>,
    /// Why it ended.
    #[sea_orm(
        comment = "stop, length, tool_calls, content_filter; for partial content: stopped, interrupted, failed"
    )]
    pub finish_reason: Option<FinishReason>,
    /// The caller's own data.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own data; never interpreted")]
    pub metadata: Json,
    /// When its content was deleted.
    #[sea_orm(comment = "when its content was deleted; the row and its number are kept")]
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was written.
    pub created_at: DateTimeUtc,
    /// When it last changed; its version.
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// Its approximate size in bytes.
    pub(crate) fn approximate_size(&self) -> usize {
        let json = |value: &Option<Json>| value.as_ref().map_or(0, |value| value.to_string().len());
        self.content.len() + json(&self.parts) + json(&self.tool_calls) + self.metadata.to_string().len()
    }
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
