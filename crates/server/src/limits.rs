//! Limits of the server that can be set while it runs.

use std::time::Duration;

use loam_kernel::Result;
use loam_platform::system_config::{ConfigKey, Declaration, SystemConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RequestLimits {
    /// The largest body in bytes, below what the server's own configuration allows.
    pub(crate) max_body_bytes: Option<usize>,
}

/// The key of [`RequestLimits`].
pub(crate) const REQUESTS: ConfigKey<RequestLimits> = ConfigKey::new(
    "system_limits.requests",
    "system_limits",
    "the largest body of a request, below server.max_body_bytes of the server's configuration; null: that",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "max_body_bytes": { "type": ["integer", "null"], "minimum": 1024 } }
        })
    },
);

/// How long answers are remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct IdempotencyLimits {
    /// Hours that an `Idempotency-Key` is remembered.
    pub(crate) remember_hours: u32,
}

impl Default for IdempotencyLimits {
    fn default() -> Self {
        Self { remember_hours: 24 }
    }
}

/// The key of [`IdempotencyLimits`].
pub(crate) const IDEMPOTENCY: ConfigKey<IdempotencyLimits> = ConfigKey::new(
    "system_limits.idempotency",
    "system_limits",
    "how many hours an Idempotency-Key is remembered",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "remember_hours": { "type": "integer", "minimum": 1, "maximum": 720 } }
        })
    },
);

/// What counts as slow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DatabaseLimits {
    /// Milliseconds from which on a statement is logged and counted as slow.
    pub(crate) slow_statement_ms: u64,
}

impl Default for DatabaseLimits {
    fn default() -> Self {
        Self { slow_statement_ms: 250 }
    }
}

/// The key of [`DatabaseLimits`].
pub(crate) const DATABASE: ConfigKey<DatabaseLimits> = ConfigKey::new(
    "system_limits.database",
    "system_limits",
    "from how many milliseconds on a statement is logged and counted as slow",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "slow_statement_ms": { "type": "integer", "minimum": 1, "maximum": 600_000 } }
        })
    },
);

/// The keys of the live configuration that the server itself reads.
pub(crate) fn config_keys() -> Result<Vec<Declaration>> {
    Ok(vec![REQUESTS.declare()?, IDEMPOTENCY.declare()?, DATABASE.declare()?])
}

/// Hands on what the data layer, which stands below the live configuration, can't read for itself.
pub(crate) fn follow(config: &SystemConfig) -> Result<()> {
    let database = config.live(&DATABASE)?;
    config.subscribe(move |key| {
        if key == DATABASE.name() {
            loam_db::log_slower_than(Duration::from_millis(database.get().slow_statement_ms));
        }
    });
    Ok(())
}
