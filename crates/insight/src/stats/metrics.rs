//! Sums over the values of a metric.

use loam_kernel::{MetricStatId, NodeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

use super::Granularity;
use crate::performance_metrics::MetricKind;

/// Sums over values.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "metric_stats",
    comment = "sums of the values of metrics by minute and hour; by when they were measured"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of the dimensions")]
    pub id: MetricStatId,
    /// The node.
    #[sea_orm(comment = "node that took them in; each node writes its own rows")]
    pub node_id: NodeId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// How long.
    #[sea_orm(comment = "minute, hour")]
    pub granularity: Granularity,
    /// Since when.
    #[sea_orm(comment = "when the stretch begins, UTC")]
    pub bucket: DateTimeUtc,
    /// What was measured.
    #[sea_orm(column_type = "Text", comment = "what was measured")]
    pub metric_name: String,
    /// What the values mean.
    #[sea_orm(comment = "gauge, delta (since the value before), total (since the application began)")]
    pub kind: MetricKind,
    /// Name and tags.
    #[sea_orm(column_type = "Text", comment = "hash of name and tags, in hexadecimal digits")]
    pub series: String,
    /// What it was measured of.
    #[sea_orm(column_type = "JsonBinary", comment = "what it was measured of, text by name")]
    pub tags: Json,
    /// Values.
    #[sea_orm(comment = "values")]
    pub samples: i64,
    /// Their sum.
    #[sea_orm(comment = "their sum")]
    pub total: f64,
    /// The least.
    #[sea_orm(comment = "the least of them")]
    pub least: f64,
    /// The greatest.
    #[sea_orm(comment = "the greatest of them")]
    pub greatest: f64,
    /// The last.
    #[sea_orm(comment = "the last of them")]
    pub last: f64,
    /// When the last was measured.
    #[sea_orm(comment = "when the last was measured")]
    pub last_at: DateTimeUtc,
    /// How they are spread.
    #[sea_orm(
        column_type = "Blob",
        comment = "how they are spread, in millionths; values below zero as zero"
    )]
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
