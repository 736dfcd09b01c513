//! A project.

use loam_kernel::{ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The monitoring status of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum MonitoringStatus {
    /// Telemetry is accepted.
    Active,
    /// Paused.
    Inactive,
    /// Ended.
    Archived,
}

/// The delivery status of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// Planned.
    Draft,
    /// In development.
    Active,
    /// Delivered.
    Completed,
    /// Archived.
    Archived,
}

/// An application.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "projects",
    comment = "an application of a tenant: the unit of calls, limits and telemetry"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The project.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProjectId,
    /// Its name.
    #[sea_orm(column_type = "Text", comment = "unique in the tenant")]
    pub name: String,
    /// What it is.
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    /// Framework.
    #[sea_orm(column_type = "Text", nullable, comment = "flask, django, fastapi, …")]
    pub framework: Option<String>,
    /// Owner.
    #[sea_orm(comment = "responsible user")]
    pub owner_id: Option<UserId>,
    /// The ingest key.
    #[sea_orm(column_type = "Text", comment = "credential that can send telemetry and read nothing; sealed")]
    pub project_key: String,
    /// Digest of the ingest key.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 of the project key")]
    pub key_hash: Vec<u8>,
    /// Monitoring status.
    #[sea_orm(comment = "monitoring status: active, inactive, archived")]
    pub monitoring_status: MonitoringStatus,
    /// Monitoring configuration.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "monitoring: sampling_rate, enabled, auto_analysis, alert_threshold"
    )]
    pub config: Json,
    /// Delivery status.
    #[sea_orm(comment = "delivery status: draft, active, completed, archived")]
    pub delivery_status: DeliveryStatus,
    /// Technology stack.
    #[sea_orm(column_type = "JsonBinary", comment = "technology stack")]
    pub tech_stack: Json,
    /// Milestones.
    #[sea_orm(column_type = "JsonBinary", comment = "milestones")]
    pub timeline: Json,
    /// Deadline.
    #[sea_orm(comment = "deadline of the delivery")]
    pub deadline: Option<DateTimeUtc>,
    /// Time of the last telemetry.
    #[sea_orm(comment = "time of the last telemetry")]
    pub last_activity: Option<DateTimeUtc>,
    /// The caller's own data.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own data, which Loam does not interpret")]
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
