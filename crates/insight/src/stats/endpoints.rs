//! Sums over the requests of an endpoint.

use loam_kernel::{EndpointStatId, NodeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

use super::Granularity;

/// Sums over requests. Times are in microseconds, memory in bytes.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "endpoint_stats",
    comment = "sums over requests per minute, hour and day; assigned by start time"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of the dimensions")]
    pub id: EndpointStatId,
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
    /// The endpoint.
    #[sea_orm(column_type = "Text", comment = "GET /users/{id}")]
    pub endpoint: String,
    /// The version.
    #[sea_orm(column_type = "Text", comment = "version of the application; empty if not reported")]
    pub version: String,
    /// Requests.
    #[sea_orm(comment = "requests")]
    pub requests: i64,
    /// Failed requests.
    #[sea_orm(comment = "failed requests")]
    pub errors: i64,
    /// Total duration.
    #[sea_orm(comment = "total duration, microseconds")]
    pub duration_us: i64,
    /// Processor time.
    #[sea_orm(comment = "processor time, microseconds")]
    pub cpu_us: i64,
    /// Queries.
    #[sea_orm(comment = "database queries")]
    pub query_count: i64,
    /// Query time.
    #[sea_orm(comment = "query time, microseconds")]
    pub query_us: i64,
    /// Slow queries.
    #[sea_orm(comment = "slow queries")]
    pub slow_queries: i64,
    /// Cache hits.
    #[sea_orm(comment = "cache hits")]
    pub cache_hits: i64,
    /// Cache misses.
    #[sea_orm(comment = "cache misses")]
    pub cache_misses: i64,
    /// Cache time.
    #[sea_orm(comment = "time spent in caches, microseconds")]
    pub cache_us: i64,
    /// Growth of memory.
    #[sea_orm(comment = "sum of the growth of memory, bytes")]
    pub memory_delta: i64,
    /// Peak memory.
    #[sea_orm(comment = "highest memory use of a request, bytes")]
    pub memory_peak: i64,
    /// Calls.
    #[sea_orm(comment = "calls in the call trees of the requests")]
    pub calls: i64,
    /// Distribution of the durations.
    #[sea_orm(column_type = "Blob", comment = "distribution of the durations (quantile sketch)")]
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
