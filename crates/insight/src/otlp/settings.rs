//! Limits of OTLP ingest.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of OTLP ingest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct OtlpSettings {
    /// Maximum size of a body in bytes, as sent and decompressed.
    pub max_body_bytes: usize,
    /// Maximum number of spans or metric values in a request.
    pub max_items: usize,
    /// Maximum stored length of an attribute, in bytes.
    pub max_attribute_bytes: usize,
    /// Maximum number of stored attributes per span.
    pub max_attributes: usize,
    /// Maximum age of spans in days.
    pub max_age_days: u32,
}

impl Default for OtlpSettings {
    fn default() -> Self {
        Self {
            max_body_bytes: 16 << 20,
            max_items: 50_000,
            max_attribute_bytes: 1024,
            max_attributes: 32,
            max_age_days: 7,
        }
    }
}

/// The configuration key of [`OtlpSettings`].
pub const OTLP: ConfigKey<OtlpSettings> = ConfigKey::new(
    "insight.otlp",
    "insight",
    "limits of OTLP ingest: size of a request, number and length of stored span attributes, maximum age of spans",
    || {
        let whole = |least: u64, most: u64| json!({ "type": "integer", "minimum": least, "maximum": most });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_body_bytes": whole(1024, 256 << 20),
                "max_items": whole(1, 1_000_000),
                "max_attribute_bytes": whole(16, 65_536),
                "max_attributes": whole(0, 128),
                // PostgreSQL has partitions from the previous month on
                "max_age_days": whole(1, 28)
            }
        })
    },
)
.per_tenant();
