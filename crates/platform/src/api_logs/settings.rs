//! Which requests are recorded, and how much of them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::taker::Class;
use crate::system_config::ConfigKey;

/// The largest body that can be kept.
pub(super) const MAX_BODY: usize = 1 << 20;

/// What is recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiLogSettings {
    /// Which share of the requests.
    pub sampling: Sampling,
    /// Whether JSON bodies are kept, without their secrets.
    pub bodies: bool,
    /// The largest body that is kept, in bytes; a larger one is left out, as half of it can't be searched for secrets.
    pub max_body_bytes: usize,
}

/// The share of each class of requests that is recorded, 0 to 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Requests that change something: they are few, and what people ask about later.
    pub writes: f64,
    /// Requests that only read.
    pub reads: f64,
    /// Model calls: none, as each has its row in `llm_calls`, and a record of every one would be felt on their path.
    pub calls: f64,
    /// Whatever was answered with 400 or above.
    pub errors: f64,
}

impl Default for ApiLogSettings {
    fn default() -> Self {
        Self { sampling: Sampling::default(), bodies: false, max_body_bytes: 16 << 10 }
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self { writes: 1.0, reads: 0.0, calls: 0.0, errors: 1.0 }
    }
}

impl Sampling {
    /// The share of a class.
    pub(super) fn of(&self, class: Class) -> f64 {
        match class {
            Class::Write => self.writes,
            Class::Read => self.reads,
            Class::Call => self.calls,
        }
    }
}

/// The key of [`ApiLogSettings`].
pub const SETTINGS: ConfigKey<ApiLogSettings> = ConfigKey::new(
    "records.api_logs",
    "records",
    "which requests are recorded in api_logs, and whether with their bodies",
    || {
        let share = json!({ "type": "number", "minimum": 0, "maximum": 1 });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "sampling": {
                    "type": "object", "additionalProperties": false,
                    "properties": { "writes": share, "reads": share, "calls": share, "errors": share }
                },
                "bodies": { "type": "boolean" },
                "max_body_bytes": { "type": "integer", "minimum": 0, "maximum": MAX_BODY }
            }
        })
    },
)
.per_tenant();
