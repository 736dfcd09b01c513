//! Index from functions to the performance records in which they took the most time.

use loam_kernel::{ProjectId, RecordFunctionId, TenantId};
use sea_orm::entity::prelude::*;

/// The records of one function and one minute that were written in one batch.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "record_functions",
    comment = "records in which a function took the most time, by minute; later rows take precedence"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The id.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "UUIDv7 with the minute; the rest is a hash of the content"
    )]
    pub id: RecordFunctionId,
    /// The project.
    #[sea_orm(comment = "project")]
    pub project_id: ProjectId,
    /// The function: `module.Class.name`.
    #[sea_orm(column_type = "Text", comment = "module.Class.name")]
    pub function: String,
    /// The minute in which the requests started.
    #[sea_orm(comment = "minute in which the requests started")]
    pub minute: DateTimeUtc,
    /// The packed records.
    #[sea_orm(
        column_type = "Blob",
        comment = "packed: records, each with the calls, self time and total time (microseconds) of the function"
    )]
    pub records: Vec<u8>,
    /// Time of insertion.
    #[sea_orm(comment = "time of insertion")]
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
