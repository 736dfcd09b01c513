//! Sums over the calls of a function.

use loam_db::{Bulk, Column as Kept, OnConflict};
use loam_kernel::{FunctionStatId, NodeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

use super::Granularity;

/// Sums over calls. Times are in microseconds, memory in bytes.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "function_stats",
    comment = "sums of calls by minute, hour and day; by when the call began"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of the dimensions")]
    pub id: FunctionStatId,
    /// The node.
    #[sea_orm(comment = "node that took them in; each node writes its own rows")]
    pub node_id: NodeId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// How long.
    #[sea_orm(comment = "minute, hour, day")]
    pub granularity: Granularity,
    /// Since when.
    #[sea_orm(comment = "when the stretch begins, UTC")]
    pub bucket: DateTimeUtc,
    /// The function.
    #[sea_orm(column_type = "Text", comment = "module.Class.name")]
    pub function: String,
    /// The version.
    #[sea_orm(column_type = "Text", comment = "version of the application; empty when not told")]
    pub version: String,
    /// Calls.
    #[sea_orm(comment = "calls")]
    pub calls: i64,
    /// Those that raised.
    #[sea_orm(comment = "those that raised")]
    pub errors: i64,
    /// Its own time.
    #[sea_orm(comment = "microseconds of its own, without what it called")]
    pub self_us: i64,
    /// All its time.
    #[sea_orm(comment = "microseconds with what it called, without recursion")]
    pub total_us: i64,
    /// Queries.
    #[sea_orm(comment = "queries that it made itself")]
    pub query_count: i64,
    /// Their time.
    #[sea_orm(comment = "microseconds of them")]
    pub query_us: i64,
    /// Memory gained.
    #[sea_orm(comment = "bytes: sum of what memory grew")]
    pub memory_delta: i64,
    /// How its own times are spread.
    #[sea_orm(column_type = "Blob", comment = "how the self times of calls are spread")]
    pub sketch: Vec<u8>,
    /// When it was first written.
    #[sea_orm(comment = "when it was first written")]
    pub created_at: DateTimeUtc,
    /// When it was last written.
    #[sea_orm(comment = "when it was last written")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);

/// Rows to be written; what is there already takes the new values.
pub(crate) fn rows(rows: &[Model]) -> Bulk {
    let columns = vec![
        ("tenant_id", Kept::Uuid(rows.iter().map(|row| Some(row.tenant_id.0)).collect())),
        ("id", Kept::Uuid(rows.iter().map(|row| Some(row.id.0)).collect())),
        ("node_id", Kept::Uuid(rows.iter().map(|row| Some(row.node_id.0)).collect())),
        ("project_id", Kept::Uuid(rows.iter().map(|row| Some(row.project_id.0)).collect())),
        ("granularity", Kept::Text(rows.iter().map(|row| Some(row.granularity.name().to_owned())).collect())),
        ("bucket", Kept::Time(rows.iter().map(|row| Some(row.bucket)).collect())),
        ("function", Kept::Text(rows.iter().map(|row| Some(row.function.clone())).collect())),
        ("version", Kept::Text(rows.iter().map(|row| Some(row.version.clone())).collect())),
        ("calls", Kept::BigInt(rows.iter().map(|row| Some(row.calls)).collect())),
        ("errors", Kept::BigInt(rows.iter().map(|row| Some(row.errors)).collect())),
        ("self_us", Kept::BigInt(rows.iter().map(|row| Some(row.self_us)).collect())),
        ("total_us", Kept::BigInt(rows.iter().map(|row| Some(row.total_us)).collect())),
        ("query_count", Kept::BigInt(rows.iter().map(|row| Some(row.query_count)).collect())),
        ("query_us", Kept::BigInt(rows.iter().map(|row| Some(row.query_us)).collect())),
        ("memory_delta", Kept::BigInt(rows.iter().map(|row| Some(row.memory_delta)).collect())),
        ("sketch", Kept::Bytes(rows.iter().map(|row| Some(row.sketch.clone())).collect())),
        ("created_at", Kept::Time(rows.iter().map(|row| Some(row.created_at)).collect())),
        ("updated_at", Kept::Time(rows.iter().map(|row| Some(row.updated_at)).collect())),
    ];
    Bulk { table: "function_stats", columns, on_conflict: OnConflict::Merge }
}
