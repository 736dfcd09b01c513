//! A received event: detects duplicates and tracks whether the message has been answered.

use loam_kernel::{ChannelChatId, ChannelEventId, ChannelId, ChatSessionId, MessageId, TenantId, TurnId};
use sea_orm::entity::prelude::*;

/// The state of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum EventState {
    /// A job will answer it.
    Pending,
    /// It is answered after an earlier message of its chat.
    Waiting,
    /// It has been answered.
    Answered,
    /// It could not be answered.
    Failed,
    /// It is stored, and no answer is required.
    Stored,
    /// It contains no message for a session.
    Ignored,
}

/// A received event.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "channel_events",
    comment = "events received from other platforms; used to detect duplicates"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChannelEventId,
    /// Channel ID.
    #[sea_orm(comment = "channel ID")]
    pub channel_id: ChannelId,
    /// ID of the event on the platform.
    #[sea_orm(column_type = "Text", comment = "ID of the event on the platform; unique in the channel")]
    pub event_id: String,
    /// Chat ID.
    #[sea_orm(comment = "chat ID")]
    pub chat_id: Option<ChannelChatId>,
    /// The session of the chat when the event arrived.
    #[sea_orm(comment = "session of the chat when the event arrived")]
    pub session_id: Option<ChatSessionId>,
    /// The message that it becomes.
    #[sea_orm(comment = "ID of its message, which is stored at once or when its turn starts")]
    pub message_id: Option<MessageId>,
    /// The turn that answers it.
    #[sea_orm(comment = "turn that answers it; the last one if there were several attempts")]
    pub turn_id: Option<TurnId>,
    /// The message content until it is stored as a message.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "message content, until it is stored in a turn or a message"
    )]
    pub question: Option<Json>,
    /// State of the answer.
    #[sea_orm(comment = "pending, waiting, answered, failed, stored, ignored")]
    pub state: EventState,
    /// Why it was not answered.
    #[sea_orm(column_type = "Text", nullable, comment = "why it was not answered")]
    pub error_message: Option<String>,
    /// When it arrived.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
