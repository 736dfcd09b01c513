//! A chat on another platform, and its session.

use loam_kernel::{ChannelChatId, ChannelId, ChatSessionId, TenantId};
use sea_orm::entity::prelude::*;

/// A chat on another platform.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_chats", comment = "a chat on another platform, and its session")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChannelChatId,
    /// Channel ID.
    #[sea_orm(comment = "channel ID")]
    pub channel_id: ChannelId,
    /// ID of the chat on the platform.
    #[sea_orm(column_type = "Text", comment = "ID of the chat on the platform; unique in the channel")]
    pub external_id: String,
    /// Title of the chat on the platform.
    #[sea_orm(column_type = "Text", nullable, comment = "title of the chat on the platform")]
    pub title: Option<String>,
    /// Whether it is a group chat.
    #[sea_orm(comment = "whether it is a group chat; the session of a group belongs to no user")]
    pub is_group: bool,
    /// Current session.
    #[sea_orm(comment = "current session; a new one is created when it is archived")]
    pub session_id: ChatSessionId,
    /// When the first message arrived.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
