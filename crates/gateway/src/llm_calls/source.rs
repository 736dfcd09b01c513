//! The source of a call.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The source of a call.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[schema(as = CallSource)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Made through the gateway.
    #[default]
    Gateway,
    /// Made by an application, and reported over OpenTelemetry. It counts against no budget.
    Otlp,
}

impl Source {
    /// The stored name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Otlp => "otlp",
        }
    }

    /// From the stored name in sums, where calls of the gateway have none.
    pub(crate) fn of(stored: Option<&str>) -> Self {
        if stored == Some("otlp") { Self::Otlp } else { Self::Gateway }
    }
}
