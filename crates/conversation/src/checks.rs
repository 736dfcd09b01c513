//! Validation shared by sessions, messages and settings.

use loam_kernel::{Error, Result, merge_object};
use serde_json::{Map, Value};

/// Maximum size of `metadata` in bytes of JSON.
pub(crate) const MAX_METADATA: usize = 64 << 10;

/// Rejects metadata that is too large.
pub(crate) fn metadata(fields: &Map<String, Value>) -> Result<()> {
    json_size("metadata", fields, MAX_METADATA)
}

/// Changes an application's own data, and rejects a result that is too large.
pub(crate) fn merged_metadata(stored: &Value, change: Map<String, Value>) -> Result<Value> {
    let merged = merge_object("metadata", stored, change)?;
    json_size("metadata", &merged, MAX_METADATA)?;
    Ok(merged)
}

/// Rejects a document that is too large as JSON.
pub(crate) fn json_size(param: &str, value: &impl serde::Serialize, max: usize) -> Result<()> {
    let size = serde_json::to_vec(value).map_err(Error::internal)?.len();
    if size <= max {
        return Ok(());
    }
    Err(Error::invalid(param, format!("must be at most {max} bytes as JSON; it has {size}")))
}
