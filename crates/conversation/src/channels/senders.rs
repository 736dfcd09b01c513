//! A sender on another platform.

use loam_kernel::{ChannelId, ChannelSenderId, TenantId, UserId};
use sea_orm::entity::prelude::*;

/// A sender on another platform.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_senders", comment = "senders on other platforms, and their users")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChannelSenderId,
    /// Channel ID.
    #[sea_orm(comment = "channel ID")]
    pub channel_id: ChannelId,
    /// ID of the sender on the platform.
    #[sea_orm(column_type = "Text", comment = "ID of the sender on the platform; unique in the channel")]
    pub external_id: String,
    /// Name of the sender on the platform.
    #[sea_orm(column_type = "Text", nullable)]
    pub name: Option<String>,
    /// The user of the sender.
    #[sea_orm(
        comment = "user of the sender at the last message: the one whose external_id is `<channel>:<id>`"
    )]
    pub user_id: Option<UserId>,
    /// When their first message arrived.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
