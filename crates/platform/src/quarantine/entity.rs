//! A frame in quarantine.

use loam_kernel::{NodeId, QuarantineId, TenantId};
use sea_orm::entity::prelude::*;

/// A frame that the database refused.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "journal_quarantine", comment = "a journal frame that the database refused, with why")]
pub struct Model {
    /// The tenant, or nil when the frame can't be read.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: QuarantineId,
    /// Whose journal.
    #[sea_orm(comment = "id of the node's journal")]
    pub node_id: NodeId,
    /// Where in it.
    #[sea_orm(comment = "position in the journal")]
    pub position: i64,
    /// The kind of frame.
    #[sea_orm(comment = "kind of frame: 1 a call's intent, 2 its settlement")]
    pub kind: i32,
    /// The frame itself.
    #[sea_orm(column_type = "Blob", comment = "the frame as it was written")]
    pub frame: Vec<u8>,
    /// Why it was refused.
    #[sea_orm(column_type = "Text", comment = "what the database said")]
    pub reason: String,
    /// When.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
