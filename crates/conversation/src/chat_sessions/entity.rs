//! A session.

use loam_kernel::{AiProviderId, ChannelId, ChatSessionId, MessageId, ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a session is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// It accepts messages.
    Active,
    /// It can be read, but accepts no messages.
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
    /// ID of the owner.
    #[sea_orm(comment = "ID of the user who owns it; null for a session of the application")]
    pub user_id: Option<UserId>,
    /// Project ID.
    pub project_id: Option<ProjectId>,
    /// ID of the channel that it comes from.
    #[sea_orm(comment = "ID of the channel that it comes from")]
    pub channel_id: Option<ChannelId>,
    /// The caller's own ID of the session.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the application's own ID of the session, unique in the tenant"
    )]
    pub external_id: Option<String>,
    /// Title.
    #[sea_orm(column_type = "Text", comment = "title")]
    pub title: String,
    /// ID of the provider that answers.
    #[sea_orm(comment = "ID of the provider that answers, unless a turn names another model")]
    pub provider_id: Option<AiProviderId>,
    /// Model that answers.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "with a provider: its model; without: a route or `provider/model`"
    )]
    pub model: Option<String>,
    /// System prompt.
    #[sea_orm(column_type = "Text", nullable, comment = "system prompt")]
    pub system_prompt: Option<String>,
    /// Whether it is active.
    #[sea_orm(comment = "active, archived")]
    pub status: SessionStatus,
    /// The same, as a flag.
    #[sea_orm(comment = "whether status is active")]
    pub is_active: bool,
    /// Number of messages, and the sequence number of the last.
    #[sea_orm(comment = "number of messages, and the sequence_number of the last")]
    pub message_count: i64,
    /// ID of the message that the next one follows.
    #[sea_orm(comment = "ID of the message that the next one follows: the end of the active branch")]
    pub head_id: Option<MessageId>,
    /// When its first message was written.
    #[sea_orm(comment = "when its first message was written")]
    pub first_message_at: Option<DateTimeUtc>,
    /// When its last message was written.
    #[sea_orm(comment = "when its last message was written")]
    pub last_message_at: Option<DateTimeUtc>,
    /// When it was last active.
    #[sea_orm(comment = "time of the last message, or of creation")]
    pub last_activity: DateTimeUtc,
    /// The caller's own data.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own data; never interpreted")]
    pub metadata: Json,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it last changed; its version.
    #[sea_orm(comment = "its version; new messages don't change it")]
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
