//! The records in which a function took its time.

use loam_kernel::{ProjectId, RecordFunctionId, TenantId};
use sea_orm::entity::prelude::*;

/// A function in the records of a minute that were written at once.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "record_functions",
    comment = "the records in which a function took its time, by minute; what is written later goes before"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "of the minute; the rest a hash of what it holds"
    )]
    pub id: RecordFunctionId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The function.
    #[sea_orm(column_type = "Text", comment = "module.Class.name")]
    pub function: String,
    /// The minute.
    #[sea_orm(comment = "minute in which the requests began")]
    pub minute: DateTimeUtc,
    /// The records.
    #[sea_orm(
        column_type = "Blob",
        comment = "packed: records, each with calls of the function and microseconds of its own and in all"
    )]
    pub records: Vec<u8>,
    /// When.
    #[sea_orm(comment = "when it was written")]
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
