//! Storage limits and retention of telemetry.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Storage limits and retention of telemetry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageSettings {
    /// Maximum number of stored calls per trace.
    pub max_calls_per_trace: usize,
    /// Days after its start for which a chunk of a trace is accepted.
    pub late_days: u32,
    /// Seconds without a new chunk after which the chunks of a trace are merged.
    pub quiet_seconds: u32,
    /// Retention of requests, their calls and metric values, in days.
    pub records_days: u32,
    /// Retention of analyses and resolved incidents, in days.
    pub history_days: u32,
    /// Retention of statistics by minute, in days.
    pub minute_stats_days: u32,
    /// Retention of statistics by hour, in days.
    pub hour_stats_days: u32,
    /// Retention of statistics by day, in days.
    pub day_stats_days: u32,
    /// Maximum number of distinct endpoints in a project's statistics.
    pub max_endpoints: usize,
    /// Maximum number of distinct functions in a project's statistics.
    pub max_functions: usize,
    /// Maximum number of distinct versions in a project's statistics.
    pub max_versions: usize,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            max_calls_per_trace: 50_000,
            late_days: 35,
            quiet_seconds: 120,
            records_days: 90,
            history_days: 400,
            minute_stats_days: 14,
            hour_stats_days: 400,
            day_stats_days: 1_100,
            max_endpoints: 1_000,
            max_functions: 5_000,
            max_versions: 500,
        }
    }
}

/// The configuration key of [`StorageSettings`].
pub const STORAGE: ConfigKey<StorageSettings> = ConfigKey::new(
    "insight.storage",
    "insight",
    "storage of telemetry: calls per trace, how late a chunk of a trace may arrive and when an idle trace is merged, \
     retention (days) of requests, statistics, analyses and incidents, and the number of distinct endpoints, functions \
     and versions in a project's statistics",
    || {
        let days = |most: u32| json!({ "type": "integer", "minimum": 1, "maximum": most });
        let names = |most: u32| json!({ "type": "integer", "minimum": 1, "maximum": most });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_calls_per_trace": { "type": "integer", "minimum": 100, "maximum": 200_000 },
                "late_days": days(400), "records_days": days(3_650), "history_days": days(3_650),
                "minute_stats_days": days(400), "hour_stats_days": days(3_650), "day_stats_days": days(3_650),
                "quiet_seconds": { "type": "integer", "minimum": 1, "maximum": 86_400 },
                "max_endpoints": names(100_000), "max_functions": names(100_000), "max_versions": names(10_000)
            }
        })
    },
);
