//! Somebody on another platform.

use loam_kernel::{ChannelId, ChannelSenderId, TenantId, UserId};
use sea_orm::entity::prelude::*;

/// Somebody on another platform.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "channel_senders",
    comment = "somebody on another platform, and the user that they are here"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChannelSenderId,
    /// By which channel.
    #[sea_orm(comment = "the channel")]
    pub channel_id: ChannelId,
    /// The platform's own id.
    #[sea_orm(column_type = "Text", comment = "the platform's own id of them; unique in the channel")]
    pub external_id: String,
    /// What the platform calls them.
    #[sea_orm(column_type = "Text", nullable)]
    pub name: Option<String>,
    /// Who they are here.
    #[sea_orm(comment = "the user they were at their last message: whose external_id is `<channel>:<id>`")]
    pub user_id: Option<UserId>,
    /// When their first message came.
    pub created_at: DateTimeUtc,
    /// When it was changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
