//! A frame in quarantine.

use loam_kernel::{NodeId, QuarantineId, TenantId};
use sea_orm::entity::prelude::*;

/// A frame that the database rejected.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "journal_quarantine",
    comment = "a journal frame that the database rejected, with the reason"
)]
pub struct Model {
    /// The tenant, or nil when the frame can't be read.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: QuarantineId,
    /// The node.
    #[sea_orm(comment = "id of the node's journal")]
    pub node_id: NodeId,
    /// Position.
    #[sea_orm(comment = "position in the journal")]
    pub position: i64,
    /// The kind of frame.
    #[sea_orm(comment = "kind of frame: 1 a call's intent, 2 its settlement")]
    pub kind: i32,
    /// The frame itself.
    #[sea_orm(column_type = "Blob", comment = "the frame as it was written")]
    pub frame: Vec<u8>,
    /// Reason.
    #[sea_orm(column_type = "Text", comment = "error message of the database")]
    pub reason: String,
    /// Time.
    pub created_at: DateTimeUtc,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
