//! Limits of what applications send, which can be set while the server runs, for all or for one tenant.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How much is taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct IngestSettings {
    /// The largest body as it is sent, in bytes; below what the server takes of any request.
    pub max_body_bytes: usize,
    /// The largest body when it is unpacked, in bytes.
    pub max_unpacked_bytes: usize,
    /// The most records of a batch.
    pub max_records: usize,
    /// The most calls of a record.
    pub max_calls: usize,
    /// Requests that a project may send in a minute to one node; null for as many as it likes.
    pub requests_per_minute: Option<u64>,
    /// Unpacked bytes that a project may send in a minute to one node; null for as many as it likes.
    pub bytes_per_minute: Option<u64>,
    /// How many refused records of a project are kept, the newest.
    pub max_rejected: u64,
    /// How many days they are kept.
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

/// The key of [`IngestSettings`].
pub const INGEST: ConfigKey<IngestSettings> = ConfigKey::new(
    "insight.ingest",
    "insight",
    "how much telemetry is taken: bytes of a body as it is sent and unpacked, records of a batch, calls of a record, \
     requests and unpacked bytes that a project may send in a minute to one node (null: no limit), and how many refused \
     records of a project are kept, and for how many days",
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
