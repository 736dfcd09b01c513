//! A row of the trail, as the API shows it and exports hold it.

use chrono::{DateTime, Utc};
use loam_kernel::{AuditLogId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::entity::Model;

/// A change that somebody made.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditLogView {
    id: AuditLogId,
    /// Place in the tenant's chain, from 1, without a gap.
    pub(super) sequence: i64,
    /// `create`, `update`, `delete`, `revoke`, ….
    action: String,
    /// What kind of thing was changed.
    resource_type: String,
    /// Which one.
    resource_id: String,
    /// `api_key:<id>`, `command_line` or `system:<part>`.
    actor: String,
    /// The fields with their new values; secrets never among them.
    changes: Value,
    request_id: Option<String>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    /// SHA-256 of the row before, in hexadecimal.
    previous_hash: String,
    /// SHA-256 over the previous hash and this row, in hexadecimal.
    hash: String,
    created_at: DateTime<Utc>,
}

impl From<Model> for AuditLogView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            sequence: row.sequence,
            action: row.action,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            actor: row.actor,
            changes: row.changes,
            request_id: row.request_id,
            ip_address: row.ip_address,
            user_agent: row.user_agent,
            previous_hash: hex(&row.previous_hash),
            hash: hex(&row.hash),
            created_at: row.created_at,
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads [`hex`] back; none when it isn't that.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

impl AuditLogView {
    /// The row that it shows; none when a hash is none.
    pub(super) fn row(self, tenant: TenantId) -> Option<Model> {
        Some(Model {
            tenant_id: tenant,
            id: self.id,
            sequence: self.sequence,
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            actor: self.actor,
            changes: self.changes,
            request_id: self.request_id,
            ip_address: self.ip_address,
            user_agent: self.user_agent,
            previous_hash: unhex(&self.previous_hash)?,
            hash: unhex(&self.hash)?,
            created_at: self.created_at,
        })
    }
}
