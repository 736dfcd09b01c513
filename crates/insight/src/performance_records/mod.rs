//! Performance records: requests that monitored applications served.

mod by_function;
pub mod entity;
mod export;
mod filter;
mod list;
pub mod routes;
mod view;

use loam_db::{Bulk, Column, Fold, OnConflict};

use entity::Model;
pub use filter::{PerformanceRecordFilter, RecordOrder};
pub use view::PerformanceRecordView;
pub(crate) use view::{CacheMetrics, DatabaseMetrics, megabytes, seconds};

/// Upserts rows: existing rows take the new values.
pub(crate) fn rows(mut rows: Vec<Model>) -> Bulk {
    let columns = vec![
        ("tenant_id", Column::Uuid(rows.iter().map(|row| Some(row.tenant_id.0)).collect())),
        ("id", Column::Uuid(rows.iter().map(|row| Some(row.id.0)).collect())),
        ("project_id", Column::Uuid(rows.iter().map(|row| Some(row.project_id.0)).collect())),
        ("trace_id", Column::Text(rows.iter().map(|row| Some(row.trace_id.clone())).collect())),
        ("call_id", Column::Text(rows.iter().map(|row| Some(row.call_id.clone())).collect())),
        ("source", Column::Text(rows.iter().map(|row| Some(row.source.clone())).collect())),
        ("service", Column::Text(rows.iter().map(|row| row.service.clone()).collect())),
        ("endpoint", Column::Text(rows.iter().map(|row| Some(row.endpoint.clone())).collect())),
        ("method", Column::Text(rows.iter().map(|row| row.method.clone()).collect())),
        ("path", Column::Text(rows.iter().map(|row| row.path.clone()).collect())),
        ("status_code", Column::Int(rows.iter().map(|row| row.status_code).collect())),
        ("is_error", Column::Bool(rows.iter().map(|row| Some(row.is_error)).collect())),
        ("version", Column::Text(rows.iter().map(|row| Some(row.version.clone())).collect())),
        ("duration_us", Column::BigInt(rows.iter().map(|row| Some(row.duration_us)).collect())),
        ("cpu_us", Column::BigInt(rows.iter().map(|row| row.cpu_us).collect())),
        ("memory_peak", Column::BigInt(rows.iter().map(|row| row.memory_peak).collect())),
        ("memory_delta", Column::BigInt(rows.iter().map(|row| row.memory_delta).collect())),
        ("query_count", Column::BigInt(rows.iter().map(|row| Some(row.query_count)).collect())),
        ("query_us", Column::BigInt(rows.iter().map(|row| Some(row.query_us)).collect())),
        ("slow_queries", Column::BigInt(rows.iter().map(|row| Some(row.slow_queries)).collect())),
        ("cache_hits", Column::BigInt(rows.iter().map(|row| Some(row.cache_hits)).collect())),
        ("cache_misses", Column::BigInt(rows.iter().map(|row| Some(row.cache_misses)).collect())),
        ("cache_us", Column::BigInt(rows.iter().map(|row| Some(row.cache_us)).collect())),
        ("call_count", Column::BigInt(rows.iter().map(|row| Some(row.call_count)).collect())),
        ("is_cut", Column::Bool(rows.iter().map(|row| Some(row.is_cut)).collect())),
        ("score", Column::Int(rows.iter().map(|row| row.score).collect())),
        (
            "details",
            Column::Bytes(rows.iter_mut().map(|row| Some(std::mem::take(&mut row.details))).collect()),
        ),
        ("findings", Column::Bytes(rows.iter_mut().map(|row| row.findings.take()).collect())),
        ("created_at", Column::Time(rows.iter().map(|row| Some(row.created_at)).collect())),
        ("received_at", Column::Time(rows.iter().map(|row| row.received_at).collect())),
        ("updated_at", Column::Time(rows.iter().map(|row| Some(row.updated_at)).collect())),
    ];
    // once calls were dropped, the record stays marked
    let on_conflict = OnConflict::Fold(&[("is_cut", Fold::Greatest), ("received_at", Fold::Keep)]);
    Bulk::of::<entity::Entity>(columns, on_conflict)
}
