//! A conversation on another platform, and the session that holds it.

use loam_kernel::{ChannelChatId, ChannelId, ChatSessionId, TenantId};
use sea_orm::entity::prelude::*;

/// A conversation on another platform.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "channel_chats",
    comment = "a conversation on another platform, and the session that holds it"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChannelChatId,
    /// By which channel.
    #[sea_orm(comment = "the channel")]
    pub channel_id: ChannelId,
    /// The platform's own id.
    #[sea_orm(column_type = "Text", comment = "the platform's own id of it; unique in the channel")]
    pub external_id: String,
    /// What the platform calls it.
    #[sea_orm(column_type = "Text", nullable, comment = "what it is called there")]
    pub title: Option<String>,
    /// Whether several people write there.
    #[sea_orm(comment = "several people write there: its session belongs to none of them")]
    pub is_group: bool,
    /// Its session.
    #[sea_orm(comment = "its session; a new one once that is archived")]
    pub session_id: ChatSessionId,
    /// When the first message came.
    pub created_at: DateTimeUtc,
    /// When it was changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
