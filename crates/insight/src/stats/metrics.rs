//! Sums over the values of a metric.

use loam_kernel::{MetricStatId, NodeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

use super::Granularity;
use crate::performance_metrics::MetricKind;

/// Sums over values.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "metric_stats",
    comment = "sums over the values of metrics per minute and hour; assigned by measurement time"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false, comment = "a hash of the dimensions")]
    pub id: MetricStatId,
    /// The node that ingested them.
    #[sea_orm(comment = "node that ingested them; each node writes its own rows")]
    pub node_id: NodeId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// Length of the bucket.
    #[sea_orm(comment = "minute, hour")]
    pub granularity: Granularity,
    /// Start of the bucket.
    #[sea_orm(comment = "start of the bucket, UTC")]
    pub bucket: DateTimeUtc,
    /// Name of the metric.
    #[sea_orm(column_type = "Text", comment = "name of the metric")]
    pub metric_name: String,
    /// Meaning of the values.
    #[sea_orm(
        comment = "gauge, delta (since the previous value), total (since the start of the application)"
    )]
    pub kind: MetricKind,
    /// The series: name and tags.
    #[sea_orm(column_type = "Text", comment = "hash of name and tags, hexadecimal")]
    pub series: String,
    /// Attributes of the series.
    #[sea_orm(column_type = "JsonBinary", comment = "attributes of the series, text by name")]
    pub tags: Json,
    /// Number of values.
    #[sea_orm(comment = "number of values")]
    pub samples: i64,
    /// Their sum.
    #[sea_orm(comment = "their sum")]
    pub total: f64,
    /// Minimum.
    #[sea_orm(comment = "minimum")]
    pub least: f64,
    /// Maximum.
    #[sea_orm(comment = "maximum")]
    pub greatest: f64,
    /// Last value.
    #[sea_orm(comment = "last value")]
    pub last: f64,
    /// Time of the last value.
    #[sea_orm(comment = "time of the last value")]
    pub last_at: DateTimeUtc,
    /// Distribution of the values.
    #[sea_orm(
        column_type = "Blob",
        comment = "distribution of the values (quantile sketch), in millionths; negative values count as zero"
    )]
    pub sketch: Vec<u8>,
    /// First write.
    #[sea_orm(comment = "first write")]
    pub created_at: DateTimeUtc,
    /// Last write.
    #[sea_orm(comment = "last write")]
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
