//! Configuration of alert evaluation.

use serde::{Deserialize, Serialize};
use serde_json::json;

use loam_platform::system_config::ConfigKey;

/// Configuration of alert evaluation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertSettings {
    /// Whether rules are evaluated.
    pub enabled: bool,
    /// Seconds between two evaluations of a rule.
    pub interval_seconds: u32,
    /// Maximum number of rules per project.
    pub max_rules_per_project: u32,
    /// Maximum number of e-mail addresses per rule.
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
    "whether alert rules are evaluated, and the interval in seconds (at least 15); maximum number of rules per project and \
     of e-mail addresses per rule",
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
