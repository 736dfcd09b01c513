//! Errors on record: every 5xx, every failure in the background, and what applications tell of their own, grouped by what
//! they have in common.

pub mod entity;
mod fingerprint;
pub mod group;
mod record;
mod reporter;
pub mod routes;
mod sink;
#[cfg(test)]
mod tests;
mod told;

use serde::{Deserialize, Serialize};
use serde_json::json;

/// What stands in a group of errors whose last one was erased.
pub(crate) const ERASED: &str = "[erased]";

pub use reporter::{ErrorLogs, Report};
pub use sink::ErrorLogSink;
pub use told::{ToldError, keep, of_record};

use crate::system_config::ConfigKey;

/// Which errors are recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorLogSettings {
    /// Whether any are.
    pub enabled: bool,
    /// How many a second at most: a failing part must not fill the disk with saying so.
    pub max_per_second: u32,
}

impl Default for ErrorLogSettings {
    fn default() -> Self {
        Self { enabled: true, max_per_second: 50 }
    }
}

/// The key of [`ErrorLogSettings`].
pub const SETTINGS: ConfigKey<ErrorLogSettings> = ConfigKey::new(
    "records.error_logs",
    "records",
    "whether errors are recorded in error_logs, and how many a second",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "enabled": { "type": "boolean" },
                "max_per_second": { "type": "integer", "minimum": 1, "maximum": 10_000 }
            }
        })
    },
);
