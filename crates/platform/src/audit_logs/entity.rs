//! A row of the audit trail.

use loam_kernel::{AuditLogId, TenantId};
use sea_orm::entity::prelude::*;

/// A change somebody made.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "audit_logs",
    comment = "a change that a person, a key or the command line made; never deleted, and changed only where personal data is erased"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditLogId,
    /// The place in the tenant's chain.
    #[sea_orm(comment = "place in the tenant's chain, from 1, without a gap")]
    pub sequence: i64,
    /// What was done.
    #[sea_orm(column_type = "Text", comment = "what was done: create, update, delete, revoke, …")]
    pub action: String,
    /// To what kind of thing.
    #[sea_orm(column_type = "Text", comment = "table of the resource")]
    pub resource_type: String,
    /// To which one.
    #[sea_orm(column_type = "Text", comment = "id of the resource")]
    pub resource_id: String,
    /// By whom.
    #[sea_orm(
        column_type = "Text",
        comment = "who did it: `user:<id>`, `api_key:<id>`, `command_line`, `system:<part>`, …; `erased` once that was erased"
    )]
    pub actor: String,
    /// The change itself.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "fields with their new values; secrets never among them"
    )]
    pub changes: Json,
    /// The request it came with.
    #[sea_orm(column_type = "Text", nullable, comment = "request it came with")]
    pub request_id: Option<String>,
    /// From where.
    #[sea_orm(column_type = "Text", nullable, comment = "address of the client")]
    pub ip_address: Option<String>,
    /// With what.
    #[sea_orm(column_type = "Text", nullable, comment = "User-Agent of the client")]
    pub user_agent: Option<String>,
    /// The row before.
    #[sea_orm(column_type = "Blob", comment = "hash of the row before; 32 zero bytes in the first")]
    pub previous_hash: Vec<u8>,
    /// This row.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 over the previous hash and this row")]
    pub hash: Vec<u8>,
    /// What the hash covers.
    #[sea_orm(
        comment = "what the hash covers: null or 1 every field, 2 commitments in the place of the personal parts"
    )]
    pub version: Option<i32>,
    /// Salt of who and from where.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "salt of `origin_commitment`; null once that part is erased"
    )]
    pub origin_salt: Option<Vec<u8>>,
    /// Commitment to who and from where.
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
    /// When.
    pub created_at: DateTimeUtc,
}

/// None: it outlives what it speaks of.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
