//! Sums over the calls of a function.

use loam_kernel::{FunctionStatId, NodeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

use super::Granularity;

/// Sums over calls. Times are in microseconds, memory in bytes.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "function_stats",
    comment = "sums over calls per minute, hour and day; assigned by start time"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of the dimensions")]
    pub id: FunctionStatId,
    /// The node that ingested them.
    #[sea_orm(comment = "node that ingested them; each node writes its own rows")]
    pub node_id: NodeId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// Length of the bucket.
    #[sea_orm(comment = "minute, hour, day")]
    pub granularity: Granularity,
    /// Start of the bucket.
    #[sea_orm(comment = "start of the bucket, UTC")]
    pub bucket: DateTimeUtc,
    /// The function.
    #[sea_orm(column_type = "Text", comment = "module.Class.name")]
    pub function: String,
    /// The version.
    #[sea_orm(column_type = "Text", comment = "version of the application; empty if not reported")]
    pub version: String,
    /// Calls.
    #[sea_orm(comment = "calls")]
    pub calls: i64,
    /// Calls that raised an exception.
    #[sea_orm(comment = "calls that raised an exception")]
    pub errors: i64,
    /// Self time.
    #[sea_orm(comment = "self time, without callees, microseconds")]
    pub self_us: i64,
    /// Total time.
    #[sea_orm(comment = "time including callees, without recursion, microseconds")]
    pub total_us: i64,
    /// Queries.
    #[sea_orm(comment = "queries that the function made itself")]
    pub query_count: i64,
    /// Query time.
    #[sea_orm(comment = "query time, microseconds")]
    pub query_us: i64,
    /// Growth of memory.
    #[sea_orm(comment = "sum of the growth of memory, bytes")]
    pub memory_delta: i64,
    /// Distribution of the self times.
    #[sea_orm(column_type = "Blob", comment = "distribution of the self times (quantile sketch)")]
    pub sketch: Vec<u8>,
    /// First write.
    #[sea_orm(comment = "first write")]
    pub created_at: DateTimeUtc,
    /// Last write.
    #[sea_orm(comment = "last write")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
