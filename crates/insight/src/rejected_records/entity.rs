//! A record that could not be taken in.

use loam_kernel::{ProjectId, RejectedRecordId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a refused record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RejectedState {
    /// It can't be taken as it is.
    Rejected,
    /// It was changed, and can be taken now.
    Mended,
    /// It was taken.
    Replayed,
}

/// A refused record.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejected_records", comment = "telemetry that was refused, to be mended and replayed")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The refused record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RejectedRecordId,
    /// Who sent it.
    #[sea_orm(comment = "application that sent it")]
    pub project_id: ProjectId,
    /// How it was sent.
    #[sea_orm(column_type = "Text", comment = "how it was sent: records, otlp")]
    pub source: String,
    /// Why it was refused, for programs.
    #[sea_orm(column_type = "Text", comment = "why it was refused, for programs")]
    pub code: String,
    /// Why it was refused, for people.
    #[sea_orm(column_type = "Text", comment = "why it was refused, for people")]
    pub message: String,
    /// The field at fault.
    #[sea_orm(column_type = "Text", nullable, comment = "field at fault, as a path within the record")]
    pub param: Option<String>,
    /// What was sent.
    #[sea_orm(
        column_type = "Blob",
        comment = "packed JSON: what was sent, without secrets; empty where that was too large"
    )]
    pub payload: Vec<u8>,
    /// How far it has come.
    #[sea_orm(comment = "rejected, mended, replayed")]
    pub state: RejectedState,
    /// When it was refused.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
