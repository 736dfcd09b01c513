//! Limits of the server in the live configuration.

use std::time::Duration;

use loam_kernel::Result;
use loam_platform::system_config::{ConfigKey, SystemConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RequestLimits {
    /// Maximum body size in bytes, at most `server.max_body_bytes`.
    pub(crate) max_body_bytes: Option<usize>,
}

/// The key of [`RequestLimits`].
pub(crate) const REQUESTS: ConfigKey<RequestLimits> = ConfigKey::new(
    "system_limits.requests",
    "system_limits",
    "maximum size of a request body, at most server.max_body_bytes; null: server.max_body_bytes",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "max_body_bytes": { "type": ["integer", "null"], "minimum": 1024 } }
        })
    },
);

/// Cross-origin requests of browsers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CorsPolicy {
    /// Web origins whose pages can use every credential that has no list of its own.
    pub(crate) allowed_origins: Vec<String>,
}

/// The key of [`CorsPolicy`].
pub(crate) const CORS: ConfigKey<CorsPolicy> = ConfigKey::new(
    "security.cors",
    "security",
    "web origins whose pages can use credentials without a list of their own, such as https://app.example.com; `*`: all",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "allowed_origins": {
                "type": "array", "maxItems": 50,
                "items": { "type": "string", "maxLength": 255, "pattern": r"^(\*|https?://[a-z0-9.:\[\]-]+)$" }
            } }
        })
    },
);

/// Limits of idempotency keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct IdempotencyLimits {
    /// Hours for which the response of an `Idempotency-Key` is stored.
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
    "hours for which the response of an Idempotency-Key is stored",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "remember_hours": { "type": "integer", "minimum": 1, "maximum": 720 } }
        })
    },
);

/// Limits of the database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DatabaseLimits {
    /// Minimum duration in milliseconds of a statement that is logged and counted as slow.
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
    "minimum duration in milliseconds of a statement that is logged and counted as slow",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "slow_statement_ms": { "type": "integer", "minimum": 1, "maximum": 600_000 } }
        })
    },
);

/// Applies settings to the data layer, which can't read the live configuration itself.
pub(crate) fn follow(config: &SystemConfig) -> Result<()> {
    let database = config.live(&DATABASE)?;
    config.subscribe(move |key| {
        if key == DATABASE.name() {
            loam_db::log_slower_than(Duration::from_millis(database.get().slow_statement_ms));
        }
    });
    Ok(())
}
