//! Bulk inserts of metric values.

use chrono::{DateTime, Utc};
use loam_db::{Bulk, Column, OnConflict};
use loam_kernel::{Error, Result};

use super::point::{Point, Tags, series_text};
use crate::otlp::ProjectRef;

/// The rows of new values.
pub(super) fn values(new: &[(ProjectRef, Point)], now: DateTime<Utc>) -> Result<Bulk> {
    let text = |field: fn(&Point) -> Option<String>| {
        Column::Text(new.iter().map(|(_, point)| field(point)).collect())
    };
    let columns = vec![
        ("tenant_id", Column::Uuid(new.iter().map(|(project_ref, _)| Some(project_ref.tenant.0)).collect())),
        ("id", Column::Uuid(new.iter().map(|(_, point)| Some(point.id.0)).collect())),
        (
            "project_id",
            Column::Uuid(new.iter().map(|(project_ref, _)| Some(project_ref.project.0)).collect()),
        ),
        ("metric_name", text(|point| Some(point.name.clone()))),
        ("kind", text(|point| Some(point.kind.name().to_owned()))),
        ("unit", text(|point| point.unit.clone())),
        ("series", text(|point| Some(series_text(point.series())))),
        ("metric_value", Column::Double(new.iter().map(|(_, point)| Some(point.value)).collect())),
        (
            "tags",
            Column::Json(new.iter().map(|(_, point)| json(&point.tags).map(Some)).collect::<Result<_>>()?),
        ),
        ("timestamp", Column::Time(new.iter().map(|(_, point)| Some(point.at())).collect())),
        ("created_at", Column::Time(vec![Some(now); new.len()])),
    ];
    Ok(Bulk::of::<super::entity::Entity>(columns, OnConflict::Merge))
}

pub(super) fn json(tags: &Tags) -> Result<String> {
    serde_json::to_string(tags).map_err(Error::internal)
}
