//! A request that a watched application served.

use loam_kernel::{PerformanceRecordId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

/// A request. Times are in microseconds, memory in bytes.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "performance_records", comment = "requests that watched applications served")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "of the moment the request began; the rest a hash of project, trace and call"
    )]
    pub id: PerformanceRecordId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The trace.
    #[sea_orm(column_type = "Text", comment = "trace that it is part of")]
    pub trace_id: String,
    /// The call that serves it.
    #[sea_orm(column_type = "Text", comment = "call of the trace that serves the request")]
    pub call_id: String,
    /// How it was told.
    #[sea_orm(column_type = "Text", comment = "how it was told: records, otlp")]
    pub source: String,
    /// The service.
    #[sea_orm(column_type = "Text", nullable, comment = "service, as the application calls itself")]
    pub service: Option<String>,
    /// What is served.
    #[sea_orm(
        column_type = "Text",
        comment = "what is served, without what differs from request to request: GET /users/{id}"
    )]
    pub endpoint: String,
    /// The method.
    #[sea_orm(column_type = "Text", nullable, comment = "GET, POST, …")]
    pub method: Option<String>,
    /// The path.
    #[sea_orm(column_type = "Text", nullable, comment = "path as it was asked for")]
    pub path: Option<String>,
    /// The status.
    #[sea_orm(comment = "HTTP status")]
    pub status_code: Option<i32>,
    /// Whether it failed.
    #[sea_orm(comment = "whether it failed")]
    pub is_error: bool,
    /// The version.
    #[sea_orm(
        column_type = "Text",
        comment = "version of the application, else its commit; empty when neither is told"
    )]
    pub version: String,
    /// How long it took.
    #[sea_orm(comment = "microseconds from its begin to its end")]
    pub duration_us: i64,
    /// Processor time.
    #[sea_orm(comment = "microseconds of processor time")]
    pub cpu_us: Option<i64>,
    /// The most memory.
    #[sea_orm(comment = "bytes: the most memory")]
    pub memory_peak: Option<i64>,
    /// Memory gained.
    #[sea_orm(comment = "bytes: how much more memory there was at the end")]
    pub memory_delta: Option<i64>,
    /// Queries.
    #[sea_orm(comment = "queries of a database")]
    pub query_count: i64,
    /// Their time.
    #[sea_orm(comment = "microseconds of queries")]
    pub query_us: i64,
    /// The slow ones.
    #[sea_orm(comment = "queries of 100 milliseconds and more")]
    pub slow_queries: i64,
    /// What a cache had.
    #[sea_orm(comment = "what a cache had")]
    pub cache_hits: i64,
    /// What it had not.
    #[sea_orm(comment = "what a cache had not")]
    pub cache_misses: i64,
    /// Time with caches.
    #[sea_orm(comment = "microseconds with caches")]
    pub cache_us: i64,
    /// Calls.
    #[sea_orm(comment = "calls in its tree")]
    pub call_count: i64,
    /// Whether there were more.
    #[sea_orm(comment = "there were more calls than a trace may have, and some are not kept")]
    pub is_cut: bool,
    /// How good it is.
    #[sea_orm(comment = "0 to 100, by the rules of diagnosis")]
    pub score: Option<i32>,
    /// What else was told.
    #[sea_orm(
        column_type = "Blob",
        comment = "packed JSON: request_info, response_info, version_info, environment"
    )]
    pub details: Vec<u8>,
    /// What the rules found.
    #[sea_orm(column_type = "Blob", nullable, comment = "packed JSON: what the rules of diagnosis found")]
    pub findings: Option<Vec<u8>>,
    /// When it began.
    #[sea_orm(comment = "when the request began")]
    pub created_at: DateTimeUtc,
    /// When it was last told of.
    #[sea_orm(comment = "when it was last told of")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
