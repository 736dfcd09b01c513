//! Which requests are recorded, and how much of them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::recorder::Class;
use crate::system_config::ConfigKey;

/// Maximum of `max_body_bytes`.
pub(super) const MAX_BODY: usize = 1 << 20;

/// Settings of request records.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiLogSettings {
    /// The sampling rates.
    pub sampling: Sampling,
    /// Whether JSON bodies are recorded, without secrets.
    pub bodies: bool,
    /// Maximum size of a recorded body in bytes; a larger one is omitted, as a truncated body can't be redacted.
    pub max_body_bytes: usize,
}

/// The sampling rate of each class of requests, 0 to 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Requests that change something.
    pub writes: f64,
    /// Read-only requests.
    pub reads: f64,
    /// Model calls; defaults to 0, as each has its row in `llm_calls`, and recording every one would slow them down.
    pub calls: f64,
    /// Responses with status 400 or above.
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
    /// The sampling rate of a class.
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
    "which requests are recorded in api_logs, and whether bodies are included",
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
