//! A channel.

use loam_kernel::{ChannelId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a channel speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Signed webhooks in and out, in Loam's own format.
    Webhook,
    /// Telegram's Bot API.
    Telegram,
}

/// Where messages come from and replies go to.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "channels", comment = "where messages come from and replies go to")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The channel.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "unique among all tenants, as messages name it alone"
    )]
    pub id: ChannelId,
    /// In which application.
    #[sea_orm(comment = "project of its conversations, which their calls are counted to")]
    pub project_id: Option<ProjectId>,
    /// What it speaks.
    #[sea_orm(comment = "webhook, telegram")]
    pub kind: ChannelKind,
    /// Its name.
    #[sea_orm(column_type = "Text", comment = "unique in the tenant; first half of its users' external_id")]
    pub name: String,
    /// How the platform is reached.
    #[sea_orm(column_type = "JsonBinary", comment = "how the platform is reached; secrets sealed")]
    pub config: Json,
    /// What the platform proves itself with.
    #[sea_orm(column_type = "JsonBinary", comment = "what both sides sign with, sealed")]
    pub secret: Json,
    /// The secret before.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "the secret before, sealed, while it still holds"
    )]
    pub old_secret: Option<Json>,
    /// How long that one holds.
    #[sea_orm(comment = "until when the secret before it is taken too")]
    pub old_secret_until: Option<DateTimeUtc>,
    /// How messages are answered.
    #[sea_orm(column_type = "JsonBinary", comment = "how messages are answered")]
    pub settings: Json,
    /// Whether it takes and sends messages.
    #[sea_orm(comment = "false: it neither takes messages nor sends any")]
    pub is_active: bool,
    /// The caller's own.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own; never interpreted")]
    pub metadata: Json,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
