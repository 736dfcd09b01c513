//! A message from another platform, as it came: what tells a repetition, and whether it has been answered.

use loam_kernel::{ChannelChatId, ChannelEventId, ChannelId, ChatSessionId, MessageId, TenantId, TurnId};
use sea_orm::entity::prelude::*;

/// Where the answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum EventState {
    /// A job will answer it.
    Pending,
    /// It is answered after the one ahead of it in its chat.
    Waiting,
    /// It has been answered.
    Answered,
    /// No answer could be had.
    Failed,
    /// It is kept, and none is wanted.
    Stored,
    /// It holds no message for a session.
    Ignored,
}

/// A message from another platform, as it came.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "channel_events",
    comment = "a message from another platform as it came: a repetition is told by it"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChannelEventId,
    /// By which channel.
    #[sea_orm(comment = "the channel")]
    pub channel_id: ChannelId,
    /// The platform's own id.
    #[sea_orm(column_type = "Text", comment = "the platform's own id of it; unique in the channel")]
    pub event_id: String,
    /// Where it was said.
    #[sea_orm(comment = "the conversation")]
    pub chat_id: Option<ChannelChatId>,
    /// The session of that conversation, when it came.
    #[sea_orm(comment = "the session that it belongs to")]
    pub session_id: Option<ChatSessionId>,
    /// What comes of it.
    #[sea_orm(comment = "the message that it becomes: at once, or when its turn begins")]
    pub message_id: Option<MessageId>,
    /// The turn that answers it.
    #[sea_orm(comment = "the turn that answers it; the last, if it took several")]
    pub turn_id: Option<TurnId>,
    /// What was said, until a turn has it.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "what was said, until a turn or a message has it"
    )]
    pub question: Option<Json>,
    /// Where the answer stands.
    #[sea_orm(comment = "pending, waiting, answered, failed, stored, ignored")]
    pub state: EventState,
    /// Why there is no answer.
    #[sea_orm(column_type = "Text", nullable, comment = "why no answer could be had")]
    pub error_message: Option<String>,
    /// When it came.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
