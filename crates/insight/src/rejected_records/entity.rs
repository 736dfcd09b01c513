//! Rejected telemetry.

use loam_kernel::{ProjectId, RejectedRecordId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The state of a rejected record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RejectedState {
    /// It is invalid.
    Rejected,
    /// It was corrected, and is valid now.
    Mended,
    /// It was replayed.
    Replayed,
}

/// A rejected record or span.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "rejected_records",
    comment = "rejected telemetry, which can be corrected and replayed"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RejectedRecordId,
    /// The project.
    #[sea_orm(comment = "project that sent it")]
    pub project_id: ProjectId,
    /// The protocol.
    #[sea_orm(column_type = "Text", comment = "protocol: records, otlp")]
    pub source: String,
    /// The error code.
    #[sea_orm(column_type = "Text", comment = "error code")]
    pub code: String,
    /// The error message.
    #[sea_orm(column_type = "Text", comment = "error message")]
    pub message: String,
    /// The invalid field.
    #[sea_orm(column_type = "Text", nullable, comment = "invalid field, as a path within the record")]
    pub param: Option<String>,
    /// The content.
    #[sea_orm(
        column_type = "Blob",
        comment = "packed JSON: the record without secrets; empty if it was too large"
    )]
    pub payload: Vec<u8>,
    /// The state.
    #[sea_orm(comment = "rejected, replayable, replayed")]
    pub state: RejectedState,
    /// Time of the rejection.
    pub created_at: DateTimeUtc,
    /// Time of the last change; the version for `If-Match`.
    pub updated_at: DateTimeUtc,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
