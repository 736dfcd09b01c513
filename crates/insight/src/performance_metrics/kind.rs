//! Kinds of metric values.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of a metric value.
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
    /// The current value: memory in use, the length of a queue.
    #[default]
    Gauge,
    /// The increase since the previous value.
    Delta,
    /// A counter since the start of the application; it restarts with the application.
    Total,
}

impl MetricKind {
    /// The stored name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Delta => "delta",
            Self::Total => "total",
        }
    }
}
