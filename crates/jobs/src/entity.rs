//! A job as it is kept.

use loam_kernel::{JobId, NodeId, TenantId};
use sea_orm::entity::prelude::*;

use crate::state::JobState;

/// A piece of background work.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "jobs",
    comment = "a piece of background work, run at least once; kept for 14 days after its end"
)]
pub struct Model {
    /// The tenant, or nil.
    #[sea_orm(primary_key, auto_increment = false, comment = "whose work it is; nil for the instance's own")]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// Which handler runs it.
    #[sea_orm(column_type = "Text", comment = "names the handler that runs it")]
    pub kind: String,
    /// What the handler is given.
    #[sea_orm(column_type = "JsonBinary", comment = "what the handler is given; never a secret")]
    pub payload: Json,
    /// Where it stands.
    #[sea_orm(comment = "queued, running, succeeded, failed or cancelled")]
    pub state: JobState,
    /// Runs begun.
    #[sea_orm(comment = "runs begun, the present one included; counted when the job is claimed")]
    pub attempts: i32,
    /// Runs at most.
    #[sea_orm(comment = "runs after which it is given up")]
    pub max_attempts: i32,
    /// When it is due.
    #[sea_orm(comment = "not run before this time")]
    pub run_at: DateTimeUtc,
    /// How long the node has it.
    #[sea_orm(
        comment = "while running: until when the node has it to itself; a lease that has run out is claimed again"
    )]
    pub lease_until: Option<DateTimeUtc>,
    /// The node that has it.
    #[sea_orm(comment = "node that runs it")]
    pub lease_owner: Option<NodeId>,
    /// Why the last run failed.
    #[sea_orm(column_type = "Text", nullable, comment = "why the last run failed, at most 2,000 characters")]
    pub last_error: Option<String>,
    /// Keeps a second one away.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "a second job of this kind with this key is not enqueued"
    )]
    pub unique_key: Option<String>,
    /// When it ended.
    #[sea_orm(comment = "when it succeeded, failed or was cancelled")]
    pub finished_at: Option<DateTimeUtc>,
    /// When it was enqueued.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
