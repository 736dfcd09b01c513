//! What a function took in a record.

use loam_kernel::{PerformanceRecordId, ProjectId, RecordFunctionId, TenantId};
use sea_orm::entity::prelude::*;

/// A function in a record. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "record_functions", comment = "the functions that took the most of a record")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "of the moment the request began; the rest a hash of record and function"
    )]
    pub id: RecordFunctionId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The record.
    #[sea_orm(comment = "record")]
    pub record_id: PerformanceRecordId,
    /// The function.
    #[sea_orm(column_type = "Text", comment = "module.Class.name")]
    pub function: String,
    /// How often.
    #[sea_orm(comment = "how often it was called")]
    pub calls: i64,
    /// Its own time.
    #[sea_orm(comment = "microseconds of its own, without what it called")]
    pub self_us: i64,
    /// All its time.
    #[sea_orm(comment = "microseconds with what it called, without recursion")]
    pub total_us: i64,
    /// When.
    #[sea_orm(comment = "when the request began")]
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
