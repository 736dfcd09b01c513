//! A row of the audit trail (`audit_logs`).

use loam_kernel::{AuditLogId, TenantId};
use sea_orm::entity::prelude::*;

/// An audited change.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "audit_logs",
    comment = "a change by a person, a key or the command line; never deleted, and changed only when personal data is erased"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditLogId,
    /// Sequence number.
    #[sea_orm(comment = "sequence number in the tenant's chain, from 1, without gaps")]
    pub sequence: i64,
    /// Action.
    #[sea_orm(column_type = "Text", comment = "action: create, update, delete, revoke, …")]
    pub action: String,
    /// Resource type.
    #[sea_orm(column_type = "Text", comment = "table of the resource")]
    pub resource_type: String,
    /// Resource id.
    #[sea_orm(column_type = "Text", comment = "id of the resource")]
    pub resource_id: String,
    /// Actor.
    #[sea_orm(
        column_type = "Text",
        comment = "actor: `user:<id>`, `api_key:<id>`, `command_line`, `system:<part>`, …; `erased` after an erasure"
    )]
    pub actor: String,
    /// The change.
    #[sea_orm(column_type = "JsonBinary", comment = "fields with their new values, without secrets")]
    pub changes: Json,
    /// Request id.
    #[sea_orm(column_type = "Text", nullable, comment = "x-request-id of the request")]
    pub request_id: Option<String>,
    /// Client address.
    #[sea_orm(column_type = "Text", nullable, comment = "address of the client")]
    pub ip_address: Option<String>,
    /// Client software.
    #[sea_orm(column_type = "Text", nullable, comment = "User-Agent of the client")]
    pub user_agent: Option<String>,
    /// Hash of the previous row.
    #[sea_orm(column_type = "Blob", comment = "hash of the previous row; 32 zero bytes in the first")]
    pub previous_hash: Vec<u8>,
    /// Hash of this row.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 over the previous hash and this row")]
    pub hash: Vec<u8>,
    /// What the hash covers.
    #[sea_orm(
        comment = "what the hash covers: null or 1 every field, 2 commitments instead of the personal parts"
    )]
    pub version: Option<i32>,
    /// Salt of the origin.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "salt of `origin_commitment`; null once that part is erased"
    )]
    pub origin_salt: Option<Vec<u8>>,
    /// Commitment to the origin.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "SHA-256 over `origin_salt`, actor, address and User-Agent; stays when they are erased"
    )]
    pub origin_commitment: Option<Vec<u8>>,
    /// Salt of the change.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "salt of `changes_commitment`; null once that part is erased"
    )]
    pub changes_salt: Option<Vec<u8>>,
    /// Commitment to the change.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "SHA-256 over `changes_salt` and `changes`; stays when they are erased"
    )]
    pub changes_commitment: Option<Vec<u8>>,
    /// When personal data was erased from it.
    #[sea_orm(comment = "when personal data was erased from the row; null in a whole one")]
    pub erased_at: Option<DateTimeUtc>,
    /// Time of the change.
    pub created_at: DateTimeUtc,
}

/// No relations: rows outlive what they refer to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
