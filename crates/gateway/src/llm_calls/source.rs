//! Where a call was seen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a call was seen.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Loam made it.
    #[default]
    Gateway,
    /// An application made it, and told of it by OpenTelemetry. It counts against no budget.
    Otlp,
}

impl Source {
    /// The word as it is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Otlp => "otlp",
        }
    }

    /// Of the sums, where Loam's own have none.
    pub(crate) fn of(kept: Option<&str>) -> Self {
        if kept == Some("otlp") { Self::Otlp } else { Self::Gateway }
    }
}
