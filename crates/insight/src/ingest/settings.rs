//! Limits of telemetry, configurable at runtime, globally or per tenant.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of telemetry in all formats.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct IngestSettings {
    /// Maximum size of a body as sent, in bytes; must be below the server's own limit.
    pub max_body_bytes: usize,
    /// Maximum size of a decompressed body, in bytes.
    pub max_unpacked_bytes: usize,
    /// Maximum age of records, spans and metric values, in days.
    pub max_age_days: u32,
    /// Maximum number of records in a batch.
    pub max_records: usize,
    /// Maximum number of calls in a record.
    pub max_calls: usize,
    /// Maximum number of requests of a project per minute and node; null for no limit.
    pub requests_per_minute: Option<u64>,
    /// Maximum number of decompressed bytes of a project per minute and node; null for no limit.
    pub bytes_per_minute: Option<u64>,
    /// Maximum number of rejected records stored per project; the oldest are deleted.
    pub max_rejected: u64,
    /// Retention of rejected records in days.
    pub rejected_days: u32,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            max_body_bytes: 16 << 20,
            max_unpacked_bytes: 64 << 20,
            max_age_days: 28,
            max_records: 1_000,
            max_calls: 20_000,
            requests_per_minute: Some(120_000),
            bytes_per_minute: Some(8 << 30),
            max_rejected: 1_000,
            rejected_days: 30,
        }
    }
}

/// The configuration key of [`IngestSettings`].
pub const INGEST: ConfigKey<IngestSettings> = ConfigKey::new(
    "insight.ingest",
    "insight",
    "limits of telemetry in all formats: body size as sent and decompressed (bytes), age (days), requests and \
     decompressed bytes per project, minute and node (null: no limit), and the number and retention (days) of stored \
     rejected records per project; of records, their number per batch and the number of calls per record",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_body_bytes": { "type": "integer", "minimum": 1_024, "maximum": 67_108_864 },
                "max_unpacked_bytes": { "type": "integer", "minimum": 1_024, "maximum": 268_435_456 },
                // PostgreSQL has partitions from the previous month on
                "max_age_days": { "type": "integer", "minimum": 1, "maximum": 28 },
                "max_records": { "type": "integer", "minimum": 1, "maximum": 10_000 },
                "max_calls": { "type": "integer", "minimum": 1, "maximum": 100_000 },
                "requests_per_minute": { "type": ["integer", "null"], "minimum": 1 },
                "bytes_per_minute": { "type": ["integer", "null"], "minimum": 1_024 },
                "max_rejected": { "type": "integer", "minimum": 0, "maximum": 100_000 },
                "rejected_days": { "type": "integer", "minimum": 1, "maximum": 366 }
            }
        })
    },
)
.per_tenant();
