//! What is taken in one request.

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Limits of what is sent by OTLP.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct OtlpSettings {
    /// The largest body in bytes, unpacked.
    pub max_body_bytes: usize,
    /// Spans in a request, or values of metrics.
    pub max_items: usize,
    /// Bytes that are kept of an attribute.
    pub max_attribute_bytes: usize,
    /// Attributes that are kept of a span.
    pub max_attributes: usize,
    /// Days after which nothing is taken any more.
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

/// The key of [`OtlpSettings`].
pub const OTLP: ConfigKey<OtlpSettings> = ConfigKey::new(
    "insight.otlp",
    "insight",
    "how much is taken in one OTLP request, how much is kept of a span's attributes, and how old it may be",
    || {
        let whole = |least: u64, most: u64| json!({ "type": "integer", "minimum": least, "maximum": most });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_body_bytes": whole(1024, 256 << 20),
                "max_items": whole(1, 1_000_000),
                "max_attribute_bytes": whole(16, 65_536),
                "max_attributes": whole(0, 128),
                // PostgreSQL has partitions from the month before this one on
                "max_age_days": whole(1, 28)
            }
        })
    },
)
.per_tenant();
