//! A channel.

use loam_kernel::{ChannelId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The protocol of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Signed webhooks in both directions, in Loam's own format.
    Webhook,
    /// Telegram's Bot API.
    Telegram,
}

/// A channel: messages arrive through it, and replies leave through it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "channels", comment = "connections to other platforms: incoming messages and replies")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The channel.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "unique across tenants, because incoming messages name only the channel"
    )]
    pub id: ChannelId,
    /// Project ID.
    #[sea_orm(comment = "project ID of its sessions; their calls are attributed to it")]
    pub project_id: Option<ProjectId>,
    /// Protocol.
    #[sea_orm(comment = "webhook, telegram")]
    pub kind: ChannelKind,
    /// Its name.
    #[sea_orm(column_type = "Text", comment = "unique in the tenant; first half of its users' external_id")]
    pub name: String,
    /// Connection settings of the platform.
    #[sea_orm(column_type = "JsonBinary", comment = "connection settings of the platform; secrets sealed")]
    pub config: Json,
    /// Secret shared with the platform.
    #[sea_orm(column_type = "JsonBinary", comment = "secret shared with the platform, sealed")]
    pub secret: Json,
    /// Previous secret.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "previous secret, sealed, while it is valid")]
    pub old_secret: Option<Json>,
    /// Until when the previous secret is valid.
    #[sea_orm(comment = "until when the previous secret is accepted")]
    pub old_secret_until: Option<DateTimeUtc>,
    /// How messages are answered.
    #[sea_orm(column_type = "JsonBinary", comment = "how messages are answered")]
    pub settings: Json,
    /// Whether it receives and sends messages.
    #[sea_orm(comment = "whether it receives and sends messages")]
    pub is_active: bool,
    /// The caller's own data.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own data; never interpreted")]
    pub metadata: Json,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it last changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
