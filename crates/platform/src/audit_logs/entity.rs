//! A row of the audit trail.

use loam_kernel::{AuditLogId, TenantId};
use sea_orm::entity::prelude::*;

/// A change somebody made.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "audit_logs",
    comment = "a change that a person, a key or the command line made; never changed, never deleted"
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
        comment = "who did it: `api_key:<id>`, `command_line` or `system:<part>`"
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
    /// When.
    pub created_at: DateTimeUtc,
}

/// None: it outlives what it speaks of.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
