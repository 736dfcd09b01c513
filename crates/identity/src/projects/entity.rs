//! A project.

use loam_kernel::{ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether an application is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum MonitoringStatus {
    /// It is.
    Active,
    /// Not for now.
    Inactive,
    /// No longer.
    Archived,
}

/// How far an application's making has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// Being thought of.
    Draft,
    /// Being made.
    Active,
    /// Made.
    Completed,
    /// Put away.
    Archived,
}

/// An application.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "projects", comment = "one application, from its first requirement to its last trace")]
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
    /// What it is made with.
    #[sea_orm(column_type = "Text", nullable, comment = "flask, django, fastapi, …")]
    pub framework: Option<String>,
    /// Who answers for it.
    #[sea_orm(comment = "user who answers for it")]
    pub owner_id: Option<UserId>,
    /// What it sends its telemetry with.
    #[sea_orm(column_type = "Text", comment = "credential that can send telemetry and read nothing; sealed")]
    pub project_key: String,
    /// The same, to be recognised by.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 of the project key")]
    pub key_hash: Vec<u8>,
    /// Whether it is watched.
    #[sea_orm(comment = "whether its telemetry is watched: active, inactive, archived")]
    pub monitoring_status: MonitoringStatus,
    /// How it is watched.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "monitoring: sampling_rate, enabled, auto_analysis, alert_threshold"
    )]
    pub config: Json,
    /// How far its making has come.
    #[sea_orm(comment = "how far its making has come: draft, active, completed, archived")]
    pub delivery_status: DeliveryStatus,
    /// What it is built on.
    #[sea_orm(column_type = "JsonBinary", comment = "what it is built on")]
    pub tech_stack: Json,
    /// Its plan.
    #[sea_orm(column_type = "JsonBinary", comment = "milestones")]
    pub timeline: Json,
    /// When it has to be ready.
    #[sea_orm(comment = "when it has to be ready")]
    pub deadline: Option<DateTimeUtc>,
    /// When it last sent something.
    #[sea_orm(comment = "when it last sent telemetry")]
    pub last_activity: Option<DateTimeUtc>,
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
