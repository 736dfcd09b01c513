//! Error records: every 5xx, every background failure, and errors that applications report, grouped by fingerprint.

pub mod entity;
mod fingerprint;
pub mod group;
mod record;
mod reported;
mod reporter;
pub mod routes;
mod sink;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::json;

/// The message of a group whose last error was erased.
pub(crate) const ERASED: &str = "[erased]";

pub(crate) use record::ERROR_LOG_FRAME;
pub use reported::{ErrorSource, ReportedError, insert_reported, of_record};
pub use reporter::{ErrorLogs, Report};
pub use sink::ErrorLogSink;

use crate::system_config::ConfigKey;

/// Settings of error records.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorLogSettings {
    /// Whether errors are recorded.
    pub enabled: bool,
    /// Maximum number per second, so that a failing component can't fill the disk.
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
    "whether errors are recorded in error_logs, and how many per second",
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
