//! A value that an application measured.

use loam_kernel::{PerformanceMetricId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

use super::kind::MetricKind;

/// A value.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "performance_metrics", comment = "values that applications measured")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        comment = "of the moment it was measured; the rest a hash of what it says, or of the sender's own id"
    )]
    pub id: PerformanceMetricId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// What was measured.
    #[sea_orm(column_type = "Text", comment = "what was measured: http.server.request.duration")]
    pub metric_name: String,
    /// What the value means.
    #[sea_orm(comment = "gauge, delta (since the value before), total (since the application began)")]
    pub kind: MetricKind,
    /// In what.
    #[sea_orm(column_type = "Text", nullable, comment = "unit as it was told: s, By, {request}")]
    pub unit: Option<String>,
    /// Name and tags.
    #[sea_orm(column_type = "Text", comment = "hash of name and tags, in hexadecimal digits")]
    pub series: String,
    /// The value.
    #[sea_orm(comment = "the value")]
    pub metric_value: f64,
    /// What it was measured of.
    #[sea_orm(column_type = "JsonBinary", comment = "what it was measured of, text by name")]
    pub tags: Json,
    /// When.
    #[sea_orm(comment = "when it was measured")]
    pub timestamp: DateTimeUtc,
    /// When it came.
    #[sea_orm(comment = "when it was written")]
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
