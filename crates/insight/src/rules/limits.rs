//! Thresholds of the rules.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Thresholds above which the rules report a finding. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// A request that takes longer is slow; a project's `alert_threshold.response_time` overrides it.
    pub slow_request_ms: u64,
    /// A query that takes longer is slow.
    pub slow_query_ms: u64,
    /// A call with a longer self time is tagged as `slow`.
    pub slow_call_ms: u64,
    /// Number of sequential queries with the same statement from one function.
    pub repeated_queries: usize,
    /// Lower number of such queries that suffices if together they take `repeated_ms`.
    pub few_repeated: usize,
    /// Total time of `few_repeated` queries, or of other repeated calls.
    pub repeated_ms: u64,
    /// Number of identical calls.
    pub repeated_calls: usize,
    /// Minimum share of a request that is self time of one function, 0 to 1.
    pub hot_share: f64,
    /// Minimum self time of a hot function.
    pub hot_ms: u64,
    /// Minimum share of a request that is spent waiting for external work, 0 to 1.
    pub external_share: f64,
    /// Minimum time that is spent waiting for external work.
    pub external_ms: u64,
    /// Number of sequential waits.
    pub sequential_awaits: usize,
    /// Minimum saving if they were concurrent.
    pub sequential_ms: u64,
    /// Number of cache misses from one function.
    pub cache_misses: usize,
    /// Minimum share of misses, 0 to 1.
    pub cache_miss_share: f64,
    /// Memory that is still in use after a request, in megabytes.
    pub memory_growth_mb: u64,
    /// Depth of a recursion.
    pub recursion_depth: u32,
    /// Number of calls of a recursive function.
    pub recursion_calls: usize,
    /// Number of exceptions that one function swallows.
    pub swallowed_exceptions: usize,
    /// Time to the first byte of an external server.
    pub first_byte_ms: u64,
    /// Time to the first byte of a model.
    pub model_first_byte_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            slow_request_ms: 1_000,
            slow_query_ms: 100,
            slow_call_ms: 100,
            repeated_queries: 10,
            few_repeated: 5,
            repeated_ms: 50,
            repeated_calls: 5,
            hot_share: 0.5,
            hot_ms: 100,
            external_share: 0.7,
            external_ms: 500,
            sequential_awaits: 3,
            sequential_ms: 50,
            cache_misses: 10,
            cache_miss_share: 0.5,
            memory_growth_mb: 16,
            recursion_depth: 50,
            recursion_calls: 1_000,
            swallowed_exceptions: 5,
            first_byte_ms: 500,
            model_first_byte_ms: 3_000,
        }
    }
}

impl Limits {
    /// The thresholds of a project with this configuration.
    #[must_use]
    pub fn of(general: &Self, config: &Value) -> Self {
        let seconds = config["alert_threshold"]["response_time"].as_f64();
        general.clone().with_slow_request(seconds.unwrap_or_default())
    }

    /// Sets the slow-request threshold, in seconds; ignored unless positive and finite.
    #[must_use]
    pub fn with_slow_request(mut self, seconds: f64) -> Self {
        if seconds.is_finite() && seconds > 0.0 {
            self.slow_request_ms = super::number::whole(seconds * 1000.0).max(1);
        }
        self
    }
}

/// The key of [`Limits`].
pub const RULES: ConfigKey<Limits> = ConfigKey::new(
    "insight.rules",
    "insight",
    "thresholds of the diagnosis rules: times in milliseconds, shares from 0 to 1, counts",
    || {
        let count = |minimum: u64| json!({ "type": "integer", "minimum": minimum, "maximum": 1_000_000 });
        let millis = json!({ "type": "integer", "minimum": 1, "maximum": 86_400_000 });
        let share = json!({ "type": "number", "minimum": 0, "maximum": 1 });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "slow_request_ms": millis, "slow_query_ms": millis, "slow_call_ms": millis, "repeated_queries": count(2),
                "few_repeated": count(2), "repeated_ms": millis, "repeated_calls": count(2), "hot_share": share,
                "hot_ms": millis, "external_share": share, "external_ms": millis, "sequential_awaits": count(2),
                "sequential_ms": millis, "cache_misses": count(2), "cache_miss_share": share,
                "memory_growth_mb": count(1), "recursion_depth": count(2), "recursion_calls": count(2),
                "swallowed_exceptions": count(2), "first_byte_ms": millis, "model_first_byte_ms": millis
            }
        })
    },
)
.per_tenant();
