//! How alerts are looked after.

use serde::{Deserialize, Serialize};
use serde_json::json;

use loam_platform::system_config::ConfigKey;

/// How alerts are looked after.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertSettings {
    /// Whether rules are looked at.
    pub enabled: bool,
    /// Seconds between two looks at a rule.
    pub interval_seconds: u32,
    /// Rules that a project may have.
    pub max_rules_per_project: u32,
    /// Addresses that a rule may write to.
    pub max_recipients: u32,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self { enabled: true, interval_seconds: 15, max_rules_per_project: 100, max_recipients: 10 }
    }
}

/// The key of [`AlertSettings`].
pub const ALERT_RULES: ConfigKey<AlertSettings> = ConfigKey::new(
    "alert_rules.evaluation",
    "alert_rules",
    "whether alert rules are looked at and how many seconds apart (fifteen at least); how many a project may have, and \
     how many addresses each may write to",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "enabled": { "type": "boolean" },
                "interval_seconds": { "type": "integer", "minimum": 15, "maximum": 3600 },
                "max_rules_per_project": { "type": "integer", "minimum": 1, "maximum": 10_000 },
                "max_recipients": { "type": "integer", "minimum": 1, "maximum": 100 }
            }
        })
    },
)
.per_tenant();
