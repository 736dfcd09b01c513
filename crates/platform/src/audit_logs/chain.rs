//! What a link of the chain covers.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::entity::Model;

/// The `previous_hash` of a tenant's first row.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// The hash of a row: everything in it but the hash itself, in a form that both databases give back unchanged.
pub(crate) fn hash(row: &Model) -> Vec<u8> {
    let fields = json!([
        row.tenant_id,
        row.id,
        row.sequence,
        row.action,
        row.resource_type,
        row.resource_id,
        row.actor,
        row.request_id,
        row.ip_address,
        row.user_agent,
        row.created_at.timestamp_micros(),
    ]);
    let mut text = String::new();
    canonical(&fields, &mut text);
    canonical(&row.changes, &mut text);
    Sha256::new().chain_update(&row.previous_hash).chain_update(text).finalize().to_vec()
}

/// JSON with sorted keys and whole numbers written as such: JSONB keeps neither order nor notation.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            text.push('{');
            for name in names {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(&fields[name], text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Number(number) if number.is_f64() => {
            // the shortest form of a float, which is that of an integer when it is whole; JSONB knows no negative zero
            text.push_str(&(number.as_f64().unwrap_or_default() + 0.0).to_string());
        }
        other => text.push_str(&other.to_string()),
    }
}
