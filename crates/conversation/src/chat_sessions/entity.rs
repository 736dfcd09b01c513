//! A session.

use loam_kernel::{AiProviderId, ChannelId, ChatSessionId, MessageId, ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// It does.
    Active,
    /// It is put away: it can be read, and takes no message.
    Archived,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "chat_sessions", comment = "one conversation")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The session.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChatSessionId,
    /// Whose it is.
    #[sea_orm(comment = "whose it is; null: the application's")]
    pub user_id: Option<UserId>,
    /// In which application.
    pub project_id: Option<ProjectId>,
    /// Where it comes from.
    #[sea_orm(comment = "the channel it comes from")]
    pub channel_id: Option<ChannelId>,
    /// The caller's own id of it.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the application's own id of it, unique in the tenant"
    )]
    pub external_id: Option<String>,
    /// What it is called.
    #[sea_orm(column_type = "Text", comment = "what it is called")]
    pub title: String,
    /// Who answers.
    #[sea_orm(comment = "provider that answers unless a turn says otherwise")]
    pub provider_id: Option<AiProviderId>,
    /// Which model answers.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "with a provider: its model; without: a route or `provider/model`"
    )]
    pub model: Option<String>,
    /// What the model is told first.
    #[sea_orm(column_type = "Text", nullable, comment = "what the model is told first")]
    pub system_prompt: Option<String>,
    /// Whether it goes on.
    #[sea_orm(comment = "active, archived")]
    pub status: SessionStatus,
    /// The same, as a flag.
    #[sea_orm(comment = "status is active")]
    pub is_active: bool,
    /// Its messages, and the number of the last.
    #[sea_orm(comment = "messages so far, and the sequence_number of the last")]
    pub message_count: i64,
    /// The message that the next one follows.
    #[sea_orm(comment = "message that the next one follows: the end of the branch in use")]
    pub head_id: Option<MessageId>,
    /// When its first message was written.
    #[sea_orm(comment = "when its first message was written")]
    pub first_message_at: Option<DateTimeUtc>,
    /// When its last message was written.
    #[sea_orm(comment = "when its last message was written")]
    pub last_message_at: Option<DateTimeUtc>,
    /// When something last happened.
    #[sea_orm(comment = "last message, or when it was made")]
    pub last_activity: DateTimeUtc,
    /// The caller's own.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own; never interpreted")]
    pub metadata: Json,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    #[sea_orm(comment = "its version; messages don't change it")]
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
