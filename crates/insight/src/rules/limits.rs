//! From where on something is a fault.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// From where on the rules call something a fault. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// A request that takes longer is slow; a project's `alert_threshold.response_time` takes this one's place.
    pub slow_request_ms: u64,
    /// A query that takes longer is slow.
    pub slow_query_ms: u64,
    /// So many queries of one statement, one after the other from one place, are too many.
    pub repeated_queries: usize,
    /// So many already, when they take this long together; also for other repeated calls.
    pub few_repeated: usize,
    /// How long together.
    pub repeated_ms: u64,
    /// So many identical calls are too many.
    pub repeated_calls: usize,
    /// The share of a request in the own code of one function, 0 to 1.
    pub hot_share: f64,
    /// How long a function's own code takes at least, to be called hot.
    pub hot_ms: u64,
    /// The share of a request that is spent waiting for others, 0 to 1.
    pub external_share: f64,
    /// How long it waits at least.
    pub external_ms: u64,
    /// So many waits, one after the other.
    pub sequential_awaits: usize,
    /// What waiting for them at once would save at least.
    pub sequential_ms: u64,
    /// So many misses of a cache from one place.
    pub cache_misses: usize,
    /// The share of misses, 0 to 1.
    pub cache_miss_share: f64,
    /// Megabytes that are kept when a request has ended.
    pub memory_growth_mb: u64,
    /// A function that is called inside itself so deeply.
    pub recursion_depth: u32,
    /// Or so often.
    pub recursion_calls: usize,
    /// So many exceptions, swallowed at one place.
    pub swallowed_exceptions: usize,
    /// Another server that takes longer to begin its answer.
    pub first_byte_ms: u64,
    /// A model that takes longer to begin its answer.
    pub model_first_byte_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            slow_request_ms: 1_000,
            slow_query_ms: 100,
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
    /// Those of a project with this configuration.
    #[must_use]
    pub fn of(general: &Self, config: &Value) -> Self {
        let seconds = config["alert_threshold"]["response_time"].as_f64();
        general.clone().with_slow_request(seconds.unwrap_or_default())
    }

    /// The same, with what a project calls slow, in seconds; unless that is no such time.
    #[must_use]
    pub fn with_slow_request(mut self, seconds: f64) -> Self {
        if seconds.is_finite() && seconds > 0.0 {
            self.slow_request_ms = super::ground::whole(seconds * 1000.0).max(1);
        }
        self
    }
}

/// The key of [`Limits`].
pub const RULES: ConfigKey<Limits> = ConfigKey::new(
    "insight.rules",
    "insight",
    "from where on the rules of diagnosis call something a fault: times in milliseconds, shares from 0 to 1, counts",
    || {
        let count = |least: u64| json!({ "type": "integer", "minimum": least, "maximum": 1_000_000 });
        let millis = json!({ "type": "integer", "minimum": 1, "maximum": 86_400_000 });
        let share = json!({ "type": "number", "minimum": 0, "maximum": 1 });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "slow_request_ms": millis, "slow_query_ms": millis, "repeated_queries": count(2),
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
