//! A delivery.

use loam_kernel::{ChannelId, TenantId, WebhookDeliveryId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried, or tried again.
    Pending,
    /// It was taken.
    Delivered,
    /// It was given up.
    Dead,
}

/// Something that is sent to another server until it is taken.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "webhook_deliveries",
    comment = "something that is sent to another server until it is taken, or given up"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The delivery.
    #[sea_orm(primary_key, auto_increment = false, comment = "sent along, so that a repetition can be told")]
    pub id: WebhookDeliveryId,
    /// The channel it goes out by.
    #[sea_orm(comment = "channel that it goes out by; null: none")]
    pub channel_id: Option<ChannelId>,
    /// Who knows how to send it.
    #[sea_orm(
        column_type = "Text",
        comment = "what it is: channel.webhook, channel.telegram, alert.webhook, alert.email"
    )]
    pub kind: String,
    /// What it keeps its place in.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "deliveries of one lane go out one after another, in the order in which they were made"
    )]
    pub lane: Option<String>,
    /// Where it goes.
    #[sea_orm(column_type = "Text", comment = "where it goes, as people read it; never with a secret")]
    pub target: String,
    /// What is sent.
    #[sea_orm(column_type = "JsonBinary", comment = "what is sent")]
    pub payload: Json,
    /// Where it stands.
    #[sea_orm(comment = "pending, delivered, dead")]
    pub state: DeliveryState,
    /// How often it was tried.
    #[sea_orm(comment = "attempts begun, since it was made or last put back by hand")]
    pub attempts: i32,
    /// What the other server answered last.
    #[sea_orm(comment = "HTTP status of the last answer")]
    pub status_code: Option<i32>,
    /// Why the last attempt failed.
    #[sea_orm(column_type = "Text", nullable, comment = "why the last attempt failed")]
    pub error_message: Option<String>,
    /// When it is tried next.
    #[sea_orm(comment = "when it is tried next; null: not before the one ahead of it in its lane")]
    pub next_attempt_at: Option<DateTimeUtc>,
    /// How long an attempt has it to itself.
    #[sea_orm(comment = "an attempt under way has it to itself until then")]
    pub attempt_until: Option<DateTimeUtc>,
    /// When it was taken.
    #[sea_orm(comment = "when it was taken")]
    pub delivered_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
