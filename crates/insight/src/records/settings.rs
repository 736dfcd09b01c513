//! What is kept of what applications tell, and for how long.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How records are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageSettings {
    /// Calls that are kept of a trace.
    pub max_calls_per_trace: usize,
    /// Days after its begin for which a part of a trace is still taken.
    pub late_days: u32,
    /// Seconds without a new part after which a trace's parts are made one.
    pub quiet_seconds: u32,
    /// Days for which requests, their calls and the values of metrics are kept.
    pub records_days: u32,
    /// Days for which analyses are kept, and incidents that are over.
    pub history_days: u32,
    /// Days for which sums by minute are kept.
    pub minute_stats_days: u32,
    /// Days for which sums by hour are kept.
    pub hour_stats_days: u32,
    /// Days for which sums by day are kept.
    pub day_stats_days: u32,
    /// Endpoints that sums of a project tell apart.
    pub max_endpoints: usize,
    /// Functions that sums of a project tell apart.
    pub max_functions: usize,
    /// Versions that sums of a project tell apart.
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

/// The key of [`StorageSettings`].
pub const STORAGE: ConfigKey<StorageSettings> = ConfigKey::new(
    "insight.storage",
    "insight",
    "what is kept of what applications tell: calls of a trace, how late a part of one may come and when it is taken to be \
     whole, days for which requests, sums, analyses and incidents are kept, and how many endpoints, functions and versions of a project sums \
     tell apart",
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
