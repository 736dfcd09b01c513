//! What a value of a metric means.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a value of a metric means.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// How much there is: memory in use, the length of a queue.
    #[default]
    Gauge,
    /// How much there was since the value before.
    Delta,
    /// How much there was since the application began; it begins again with the application.
    Total,
}

impl MetricKind {
    /// The word as it is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Delta => "delta",
            Self::Total => "total",
        }
    }
}
