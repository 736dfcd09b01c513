//! Limits of OTLP ingest.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of OTLP ingest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct OtlpSettings {
    /// Maximum number of spans or metric values in a request.
    pub max_items: usize,
    /// Maximum stored length of an attribute, in bytes.
    pub max_attribute_bytes: usize,
    /// Maximum number of stored attributes per span.
    pub max_attributes: usize,
}

impl Default for OtlpSettings {
    fn default() -> Self {
        Self { max_items: 50_000, max_attribute_bytes: 1024, max_attributes: 32 }
    }
}

/// The configuration key of [`OtlpSettings`].
pub const OTLP: ConfigKey<OtlpSettings> = ConfigKey::new(
    "insight.otlp",
    "insight",
    "limits of OTLP ingest: spans or metric values of a request, number and length of stored span attributes",
    || {
        let whole = |least: u64, most: u64| json!({ "type": "integer", "minimum": least, "maximum": most });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_items": whole(1, 1_000_000),
                "max_attribute_bytes": whole(16, 65_536),
                "max_attributes": whole(0, 128)
            }
        })
    },
)
.per_tenant()
.retired(&["max_body_bytes", "max_age_days"]);
