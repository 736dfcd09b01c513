//! Performance records: requests that monitored applications served.

mod by_function;
pub mod entity;
mod export;
mod filter;
mod list;
pub mod routes;
mod view;

use loam_db::{Bulk, Fold, OnConflict};

use entity::Model;
pub use filter::{PerformanceRecordFilter, RecordOrder};
pub use view::PerformanceRecordView;
pub(crate) use view::{CacheMetrics, DatabaseMetrics, megabytes, seconds};

/// Upserts rows: existing rows take the new values.
pub(crate) fn rows(rows: Vec<Model>) -> Bulk {
    // once calls were dropped, the record stays marked
    let on_conflict = OnConflict::Fold(&[("is_cut", Fold::Greatest), ("received_at", Fold::Keep)]);
    Bulk::models::<entity::Entity>(rows, on_conflict)
}
