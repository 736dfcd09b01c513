//! Performance records: requests that applications served.

use loam_kernel::{PerformanceRecordId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

/// A performance record. Times are in microseconds, memory in bytes.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "performance_records", comment = "requests that monitored applications served")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The id.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "UUIDv7 with the start of the request; the rest is a hash of project, trace and call"
    )]
    pub id: PerformanceRecordId,
    /// The project.
    #[sea_orm(comment = "project")]
    pub project_id: ProjectId,
    /// The trace id.
    #[sea_orm(column_type = "Text", comment = "trace id")]
    pub trace_id: String,
    /// The id of the span that serves the request.
    #[sea_orm(column_type = "Text", comment = "id of the call that serves the request")]
    pub call_id: String,
    /// The protocol.
    #[sea_orm(column_type = "Text", comment = "protocol: records, otlp")]
    pub source: String,
    /// The service.
    #[sea_orm(column_type = "Text", nullable, comment = "service name that the application reports")]
    pub service: Option<String>,
    /// The endpoint.
    #[sea_orm(column_type = "Text", comment = "route template: GET /users/{id}")]
    pub endpoint: String,
    /// The method.
    #[sea_orm(column_type = "Text", nullable, comment = "GET, POST, …")]
    pub method: Option<String>,
    /// The path as requested.
    #[sea_orm(column_type = "Text", nullable, comment = "path as requested")]
    pub path: Option<String>,
    /// The HTTP status code.
    #[sea_orm(comment = "HTTP status code")]
    pub status_code: Option<i32>,
    /// Whether the request failed.
    #[sea_orm(comment = "whether it failed")]
    pub is_error: bool,
    /// The version.
    #[sea_orm(
        column_type = "Text",
        comment = "version of the application, otherwise its commit; empty if neither is reported"
    )]
    pub version: String,
    /// Duration.
    #[sea_orm(comment = "duration in microseconds")]
    pub duration_us: i64,
    /// CPU time.
    #[sea_orm(comment = "CPU time in microseconds")]
    pub cpu_us: Option<i64>,
    /// Peak memory.
    #[sea_orm(comment = "peak memory in bytes")]
    pub memory_peak: Option<i64>,
    /// Change of memory use.
    #[sea_orm(comment = "change of memory use in bytes")]
    pub memory_delta: Option<i64>,
    /// Number of database queries.
    #[sea_orm(comment = "database queries")]
    pub query_count: i64,
    /// Time in database queries.
    #[sea_orm(comment = "time in database queries, in microseconds")]
    pub query_us: i64,
    /// Number of slow queries.
    #[sea_orm(comment = "slow queries, by slow_query_ms of stats.rules")]
    pub slow_queries: i64,
    /// Number of cache hits.
    #[sea_orm(comment = "cache hits")]
    pub cache_hits: i64,
    /// Number of cache misses.
    #[sea_orm(comment = "cache misses")]
    pub cache_misses: i64,
    /// Time in cache operations.
    #[sea_orm(comment = "time in cache operations, in microseconds")]
    pub cache_us: i64,
    /// Number of calls.
    #[sea_orm(comment = "calls in the call tree of the request")]
    pub call_count: i64,
    /// Whether calls were dropped.
    #[sea_orm(comment = "calls above the limit per trace were dropped")]
    pub is_cut: bool,
    /// The score.
    #[sea_orm(comment = "score of the diagnosis rules, 0 to 100")]
    pub score: Option<i32>,
    /// Further details, packed.
    #[sea_orm(
        column_type = "Blob",
        comment = "packed JSON: request_info, response_info, version_info, environment"
    )]
    pub details: Vec<u8>,
    /// The findings of the diagnosis rules, packed.
    #[sea_orm(column_type = "Blob", nullable, comment = "packed JSON: findings of the diagnosis rules")]
    pub findings: Option<Vec<u8>>,
    /// Start of the request.
    #[sea_orm(comment = "start of the request")]
    pub created_at: DateTimeUtc,
    /// When its first part was stored; none for rows of earlier versions.
    #[sea_orm(comment = "when its first part was stored; null for rows of earlier versions")]
    pub received_at: Option<DateTimeUtc>,
    /// Time of the last update.
    #[sea_orm(comment = "time of the last update")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
