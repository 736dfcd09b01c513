//! Metric values.

use loam_kernel::{PerformanceMetricId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

use super::kind::MetricKind;

/// A metric value.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "performance_metrics", comment = "metric values measured by applications")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The id.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "UUIDv7 with the time of the measurement; the rest is a hash of the content, or of the id that the ingest_source chose"
    )]
    pub id: PerformanceMetricId,
    /// The project.
    #[sea_orm(comment = "project")]
    pub project_id: ProjectId,
    /// The metric name.
    #[sea_orm(column_type = "Text", comment = "metric name, such as http.server.request.duration")]
    pub metric_name: String,
    /// The kind of the value.
    #[sea_orm(
        comment = "gauge, delta (since the previous value), total (since the start of the application)"
    )]
    pub kind: MetricKind,
    /// The unit.
    #[sea_orm(column_type = "Text", nullable, comment = "unit as sent: s, By, {request}")]
    pub unit: Option<String>,
    /// The series: a hash of name and tags.
    #[sea_orm(column_type = "Text", comment = "hash of name and tags, in hexadecimal digits")]
    pub series: String,
    /// The value.
    #[sea_orm(comment = "the value")]
    pub metric_value: f64,
    /// The tags.
    #[sea_orm(column_type = "JsonBinary", comment = "tags: values by name")]
    pub tags: Json,
    /// Time of the measurement.
    #[sea_orm(comment = "time of the measurement")]
    pub timestamp: DateTimeUtc,
    /// Time of insertion.
    #[sea_orm(comment = "time of insertion")]
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
