//! Limits of metrics.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricSettings {
    /// Maximum number of series (a metric name with its tags) per project and day.
    pub max_series: usize,
    /// Maximum number of values per request in Loam's own format.
    pub max_values: usize,
}

impl Default for MetricSettings {
    fn default() -> Self {
        Self { max_series: 10_000, max_values: 5_000 }
    }
}

/// The configuration key of [`MetricSettings`].
pub const METRICS: ConfigKey<MetricSettings> = ConfigKey::new(
    "insight.metrics",
    "insight",
    "limits of metrics: series per project and day, values per request",
    || {
        let whole = |least: u64, max: u64| json!({ "type": "integer", "minimum": least, "maximum": max });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_series": whole(1, 1_000_000),
                "max_values": whole(1, 100_000)
            }
        })
    },
)
.per_tenant()
.retired(&["max_age_days"]);
