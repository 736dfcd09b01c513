//! Sums over the requests of an endpoint.

use loam_db::{Bulk, Column as Kept, OnConflict};
use loam_kernel::{EndpointStatId, NodeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

use super::Granularity;

/// Sums over requests. Times are in microseconds, memory in bytes.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "endpoint_stats",
    comment = "sums of requests by minute, hour and day; by when a request began"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of the dimensions")]
    pub id: EndpointStatId,
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
    /// What is served.
    #[sea_orm(column_type = "Text", comment = "GET /users/{id}")]
    pub endpoint: String,
    /// The version.
    #[sea_orm(column_type = "Text", comment = "version of the application; empty when not told")]
    pub version: String,
    /// Requests.
    #[sea_orm(comment = "requests")]
    pub requests: i64,
    /// Those that failed.
    #[sea_orm(comment = "those that failed")]
    pub errors: i64,
    /// Their time.
    #[sea_orm(comment = "microseconds of all")]
    pub duration_us: i64,
    /// Processor time.
    #[sea_orm(comment = "microseconds of processor time")]
    pub cpu_us: i64,
    /// Queries.
    #[sea_orm(comment = "queries of a database")]
    pub query_count: i64,
    /// Their time.
    #[sea_orm(comment = "microseconds of queries")]
    pub query_us: i64,
    /// The slow ones.
    #[sea_orm(comment = "the slow ones")]
    pub slow_queries: i64,
    /// What caches had.
    #[sea_orm(comment = "what caches had")]
    pub cache_hits: i64,
    /// What they had not.
    #[sea_orm(comment = "what they had not")]
    pub cache_misses: i64,
    /// Time with caches.
    #[sea_orm(comment = "microseconds with caches")]
    pub cache_us: i64,
    /// Memory gained.
    #[sea_orm(comment = "bytes: sum of what memory grew")]
    pub memory_delta: i64,
    /// The most memory.
    #[sea_orm(comment = "bytes: the most memory of any of them")]
    pub memory_peak: i64,
    /// Calls.
    #[sea_orm(comment = "calls in their trees")]
    pub calls: i64,
    /// How the durations are spread.
    #[sea_orm(column_type = "Blob", comment = "how the durations are spread")]
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
        ("endpoint", Kept::Text(rows.iter().map(|row| Some(row.endpoint.clone())).collect())),
        ("version", Kept::Text(rows.iter().map(|row| Some(row.version.clone())).collect())),
        ("requests", Kept::BigInt(rows.iter().map(|row| Some(row.requests)).collect())),
        ("errors", Kept::BigInt(rows.iter().map(|row| Some(row.errors)).collect())),
        ("duration_us", Kept::BigInt(rows.iter().map(|row| Some(row.duration_us)).collect())),
        ("cpu_us", Kept::BigInt(rows.iter().map(|row| Some(row.cpu_us)).collect())),
        ("query_count", Kept::BigInt(rows.iter().map(|row| Some(row.query_count)).collect())),
        ("query_us", Kept::BigInt(rows.iter().map(|row| Some(row.query_us)).collect())),
        ("slow_queries", Kept::BigInt(rows.iter().map(|row| Some(row.slow_queries)).collect())),
        ("cache_hits", Kept::BigInt(rows.iter().map(|row| Some(row.cache_hits)).collect())),
        ("cache_misses", Kept::BigInt(rows.iter().map(|row| Some(row.cache_misses)).collect())),
        ("cache_us", Kept::BigInt(rows.iter().map(|row| Some(row.cache_us)).collect())),
        ("memory_delta", Kept::BigInt(rows.iter().map(|row| Some(row.memory_delta)).collect())),
        ("memory_peak", Kept::BigInt(rows.iter().map(|row| Some(row.memory_peak)).collect())),
        ("calls", Kept::BigInt(rows.iter().map(|row| Some(row.calls)).collect())),
        ("sketch", Kept::Bytes(rows.iter().map(|row| Some(row.sketch.clone())).collect())),
        ("created_at", Kept::Time(rows.iter().map(|row| Some(row.created_at)).collect())),
        ("updated_at", Kept::Time(rows.iter().map(|row| Some(row.updated_at)).collect())),
    ];
    Bulk { table: "endpoint_stats", columns, on_conflict: OnConflict::Merge }
}
