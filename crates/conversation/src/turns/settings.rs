//! Settings of turns that can be changed while the server runs, for all or for one tenant.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How turns are run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnSettings {
    /// The model that answers where neither turn nor session names one: a route or `provider/model`.
    pub default_model: Option<String>,
    /// Turns of one session that may be under way or wait.
    pub queue: u64,
    /// How often the model may ask for tools in one turn.
    pub tool_rounds: usize,
    /// Seconds that a client has to send the results of tools.
    pub tool_result_seconds: u64,
    /// Seconds that an answer may take, its tools included, but not the client's.
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
    "how turns are run: the model that answers where neither turn nor session names one, how many turns of a session may \
     be under way or wait, how often a model may ask for tools, and how long the client's tools and a whole answer may \
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
