//! Stored trace chunks.

use loam_kernel::{CallTreeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

/// Spans of a trace, packed.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "call_trees", comment = "packed spans of traces; a trace consists of all its rows")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The id.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "UUIDv7 with the start of the first span; the rest is a hash of the content"
    )]
    pub id: CallTreeId,
    /// The project.
    #[sea_orm(comment = "project")]
    pub project_id: ProjectId,
    /// The trace id.
    #[sea_orm(column_type = "Text", comment = "trace id")]
    pub trace_id: String,
    /// The packed spans.
    #[sea_orm(column_type = "Blob", comment = "packed spans")]
    pub calls: Vec<u8>,
    /// Number of spans.
    #[sea_orm(comment = "number of spans")]
    pub call_count: i64,
    /// Whether the trace was complete or idle, and its chunks have been merged.
    #[sea_orm(comment = "the trace was complete or idle, and its chunks have been merged")]
    pub is_final: bool,
    /// Start of the first span.
    #[sea_orm(comment = "start of the first span")]
    pub started_at: DateTimeUtc,
    /// End of the last span.
    #[sea_orm(comment = "end of the last span")]
    pub ended_at: DateTimeUtc,
    /// Time of insertion.
    #[sea_orm(comment = "time of insertion")]
    pub created_at: DateTimeUtc,
    /// Time of the last change.
    #[sea_orm(comment = "time of the last change")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
