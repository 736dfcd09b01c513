//! Settings of deliveries.

use std::time::Duration;

use loam_kernel::Clock;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::system_config::ConfigKey;

/// Settings of deliveries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliverySettings {
    /// Maximum number of attempts, after which a delivery is given up.
    pub max_attempts: i32,
    /// Pause before the second attempt in milliseconds; doubled with each attempt.
    pub first_pause_ms: u64,
    /// Maximum pause in milliseconds; a `Retry-After` may be longer.
    pub longest_pause_ms: u64,
    /// Timeout of an attempt in milliseconds.
    pub timeout_ms: u64,
    /// Retention of delivered and dead deliveries in days.
    pub keep_days: u32,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            max_attempts: 12,
            first_pause_ms: 5_000,
            longest_pause_ms: 3_600_000,
            timeout_ms: 10_000,
            keep_days: 30,
        }
    }
}

/// The key of [`DeliverySettings`].
pub const DELIVERIES: ConfigKey<DeliverySettings> = ConfigKey::new(
    "webhooks.deliveries",
    "webhooks",
    "how often and how long a delivery to another server is tried, and for how many days it is kept afterwards (the \
     days for the instance alone)",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_attempts": { "type": "integer", "minimum": 1, "maximum": 50 },
                "first_pause_ms": { "type": "integer", "minimum": 10, "maximum": 3_600_000 },
                "longest_pause_ms": { "type": "integer", "minimum": 10, "maximum": 86_400_000 },
                "timeout_ms": { "type": "integer", "minimum": 100, "maximum": 60_000 },
                "keep_days": { "type": "integer", "minimum": 1, "maximum": 3650 }
            }
        })
    },
)
.per_tenant();

impl DeliverySettings {
    /// The pause after the given attempt (from 1): doubled with each attempt up to the maximum, minus up to half of it at
    /// random, so that deliveries that failed together are not retried together.
    pub(super) fn pause(&self, clock: &Clock, attempt: i32) -> Duration {
        let doublings = u32::try_from(attempt - 1).unwrap_or(0).min(32);
        let whole = self.first_pause_ms.saturating_mul(1 << doublings).min(self.longest_pause_ms);
        let random = f64::from(u32::from_le_bytes(clock.random())) / f64::from(u32::MAX);
        Duration::from_millis(whole).mul_f64(0.5 + random / 2.0)
    }

    /// The timeout of an attempt.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_the_longest_and_never_more() {
        let settings = DeliverySettings::default();
        for (attempt, whole) in [(1, 5), (2, 10), (5, 80), (11, 3600), (50, 3600)] {
            let whole = Duration::from_secs(whole);
            for _ in 0..50 {
                let pause = settings.pause(&Clock::system(), attempt);
                assert!(pause >= whole / 2 && pause <= whole, "attempt {attempt}: {pause:?} of {whole:?}");
            }
        }
    }
}
