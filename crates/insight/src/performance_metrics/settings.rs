//! How many metrics a project may have.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricSettings {
    /// Series (a name with its tags) that a project may have in a day.
    pub max_series: usize,
    /// Values in one request of Loam's own format.
    pub max_values: usize,
    /// Days after which a value is not taken any more.
    pub max_age_days: u32,
}

impl Default for MetricSettings {
    fn default() -> Self {
        Self { max_series: 10_000, max_values: 5_000, max_age_days: 7 }
    }
}

/// The key of [`MetricSettings`].
pub const METRICS: ConfigKey<MetricSettings> = ConfigKey::new(
    "insight.metrics",
    "insight",
    "how many series of metrics a project may have in a day, values in a request, and how old a value may be",
    || {
        let whole = |least: u64, most: u64| json!({ "type": "integer", "minimum": least, "maximum": most });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_series": whole(1, 1_000_000),
                "max_values": whole(1, 100_000),
                // PostgreSQL has partitions from the month before this one on
                "max_age_days": whole(1, 28)
            }
        })
    },
)
.per_tenant();
