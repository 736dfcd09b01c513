//! A row of the trail, as the API shows it and exports hold it.

use chrono::{DateTime, Utc};
use loam_kernel::{AuditLogId, TenantId, from_hex, hex};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::entity::Model;

/// An audited change.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditLogView {
    id: AuditLogId,
    /// Sequence number in the tenant's chain, from 1, without gaps.
    pub(super) sequence: i64,
    /// `create`, `update`, `delete`, `revoke`, ….
    action: String,
    /// Table of the resource.
    resource_type: String,
    /// Id of the resource.
    resource_id: String,
    /// `user:<id>`, `api_key:<id>`, `command_line`, `system:<part>`, …; `erased` after an erasure.
    actor: String,
    /// The fields with their new values, without secrets. Empty after an erasure.
    changes: Value,
    request_id: Option<String>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    /// SHA-256 of the previous row, in hexadecimal.
    previous_hash: String,
    /// SHA-256 over the previous hash and this row, in hexadecimal.
    hash: String,
    created_at: DateTime<Utc>,
    /// What the hash covers: every field (1, or omitted), or commitments instead of the personal parts (2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    version: Option<i32>,
    /// Salt of the commitment to actor, address and User-Agent, in hexadecimal; omitted after an erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    origin_salt: Option<String>,
    /// The commitment to actor, address and User-Agent, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    origin_commitment: Option<String>,
    /// Salt of the commitment to `changes`, in hexadecimal; omitted after an erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    changes_salt: Option<String>,
    /// The commitment to `changes`, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    changes_commitment: Option<String>,
    /// Time of the erasure of personal data from the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    erased_at: Option<DateTime<Utc>>,
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
            version: row.version,
            origin_salt: row.origin_salt.as_deref().map(hex),
            origin_commitment: row.origin_commitment.as_deref().map(hex),
            changes_salt: row.changes_salt.as_deref().map(hex),
            changes_commitment: row.changes_commitment.as_deref().map(hex),
            erased_at: row.erased_at,
        }
    }
}

impl AuditLogView {
    /// The row of the view; none if a hash is malformed.
    pub(super) fn row(self, tenant: TenantId) -> Option<Model> {
        let bytes = |text: Option<String>| text.map(|text| from_hex(&text).ok_or(())).transpose().ok();
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
            previous_hash: from_hex(&self.previous_hash)?,
            hash: from_hex(&self.hash)?,
            version: self.version,
            origin_salt: bytes(self.origin_salt)?,
            origin_commitment: bytes(self.origin_commitment)?,
            changes_salt: bytes(self.changes_salt)?,
            changes_commitment: bytes(self.changes_commitment)?,
            erased_at: self.erased_at,
            created_at: self.created_at,
        })
    }
}
