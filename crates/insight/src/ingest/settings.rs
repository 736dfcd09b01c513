//! Limits of record ingest, configurable at runtime, globally or per tenant.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of record ingest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct IngestSettings {
    /// Maximum size of a body as sent, in bytes; must be below the server's own limit.
    pub max_body_bytes: usize,
    /// Maximum size of a decompressed body, in bytes.
    pub max_unpacked_bytes: usize,
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
            max_body_bytes: 8 << 20,
            max_unpacked_bytes: 64 << 20,
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
    "limits of record ingest: body size as sent and decompressed (bytes), records per batch, calls per record, requests \
     and decompressed bytes per project, minute and node (null: no limit), and the number and retention (days) of stored \
     rejected records per project",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_body_bytes": { "type": "integer", "minimum": 1_024, "maximum": 67_108_864 },
                "max_unpacked_bytes": { "type": "integer", "minimum": 1_024, "maximum": 268_435_456 },
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
