//! Live settings of turns, for the instance or for one tenant.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How turns run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnSettings {
    /// Model that answers if neither turn nor session names one: a route or `provider/model`.
    pub default_model: Option<String>,
    /// Maximum number of running and queued turns of a session.
    pub queue: u64,
    /// How often a model may request tools in one turn.
    pub tool_rounds: usize,
    /// Seconds that a client has to send tool results.
    pub tool_result_seconds: u64,
    /// Seconds that an answer may take, including tools that Loam executes, excluding those of the client.
    pub max_seconds: u64,
}

impl Default for TurnSettings {
    fn default() -> Self {
        Self { default_model: None, queue: 32, tool_rounds: 8, tool_result_seconds: 600, max_seconds: 900 }
    }
}

/// The key of [`TurnSettings`].
pub const TURNS: ConfigKey<TurnSettings> = ConfigKey::new(
    "conversation.turns",
    "conversation",
    "how turns run: the model that answers if neither turn nor session names one, how many turns of a session may \
     run or wait, how often a model may request tools, and how long the client's tools and a whole answer may \
     take",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "default_model": { "type": ["string", "null"], "minLength": 1, "maxLength": 300 },
                "queue": { "type": "integer", "minimum": 1, "maximum": 1_000 },
                "tool_rounds": { "type": "integer", "minimum": 0, "maximum": 100 },
                "tool_result_seconds": { "type": "integer", "minimum": 1, "maximum": 604_800 },
                "max_seconds": { "type": "integer", "minimum": 1, "maximum": 86_400 }
            }
        })
    },
)
.per_tenant();
