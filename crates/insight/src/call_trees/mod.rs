//! Stored trace chunks.

pub mod entity;

use loam_db::{Bulk, Column, OnConflict};

use entity::Model;

/// Upserts rows: existing rows take the new values.
pub(crate) fn rows(mut rows: Vec<Model>) -> Bulk {
    let columns = vec![
        ("tenant_id", Column::Uuid(rows.iter().map(|row| Some(row.tenant_id.0)).collect())),
        ("id", Column::Uuid(rows.iter().map(|row| Some(row.id.0)).collect())),
        ("project_id", Column::Uuid(rows.iter().map(|row| Some(row.project_id.0)).collect())),
        ("trace_id", Column::Text(rows.iter().map(|row| Some(row.trace_id.clone())).collect())),
        ("calls", Column::Bytes(rows.iter_mut().map(|row| Some(std::mem::take(&mut row.calls))).collect())),
        ("call_count", Column::BigInt(rows.iter().map(|row| Some(row.call_count)).collect())),
        ("is_final", Column::Bool(rows.iter().map(|row| Some(row.is_final)).collect())),
        ("started_at", Column::Time(rows.iter().map(|row| Some(row.started_at)).collect())),
        ("ended_at", Column::Time(rows.iter().map(|row| Some(row.ended_at)).collect())),
        ("created_at", Column::Time(rows.iter().map(|row| Some(row.created_at)).collect())),
        ("updated_at", Column::Time(rows.iter().map(|row| Some(row.updated_at)).collect())),
    ];
    Bulk::of::<entity::Entity>(columns, OnConflict::Merge)
}
