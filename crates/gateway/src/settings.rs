//! Settings of calls that can change at run time, for all tenants or for one.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How calls are recorded, and tokens reserved for them, within the limits of the server's own configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallSettings {
    /// False: bodies of calls are not recorded.
    pub record_bodies: Option<bool>,
    /// Tokens reserved for a response that its request doesn't bound.
    pub expected_answer_tokens: Option<u64>,
}

/// The key of [`CallSettings`].
pub const CALLS: ConfigKey<CallSettings> = ConfigKey::new(
    "ai_service.calls",
    "ai_service",
    "whether bodies of model calls are recorded (false: never; null: as gateway.record_bodies of the server's configuration \
     says), and how many tokens are reserved under a budget for a response that its request doesn't bound (null: \
     gateway.expected_answer_tokens)",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "record_bodies": { "type": ["boolean", "null"] },
                "expected_answer_tokens": { "type": ["integer", "null"], "minimum": 0, "maximum": 1_000_000 }
            }
        })
    },
)
.per_tenant();
