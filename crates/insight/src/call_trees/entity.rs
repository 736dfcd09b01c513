//! Calls of a trace, packed.

use loam_kernel::{CallTreeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

/// Some calls of a trace.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "call_trees", comment = "calls of traces, packed; a trace is all its rows together")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "of the moment its first call began; the rest a hash of what it holds"
    )]
    pub id: CallTreeId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The trace.
    #[sea_orm(column_type = "Text", comment = "trace")]
    pub trace_id: String,
    /// The calls.
    #[sea_orm(column_type = "Blob", comment = "the calls, packed")]
    pub calls: Vec<u8>,
    /// How many.
    #[sea_orm(comment = "how many")]
    pub call_count: i64,
    /// Whether the trace was quiet.
    #[sea_orm(comment = "the trace was quiet, and its parts are one")]
    pub is_final: bool,
    /// When the first began.
    #[sea_orm(comment = "when the first of them began")]
    pub started_at: DateTimeUtc,
    /// When the last ended.
    #[sea_orm(comment = "when the last of them ended")]
    pub ended_at: DateTimeUtc,
    /// When it was written.
    #[sea_orm(comment = "when it was written")]
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    #[sea_orm(comment = "when it was last changed")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
