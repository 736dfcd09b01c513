//! The `jobs` table.

use loam_kernel::{JobId, NodeId, TenantId};
use sea_orm::entity::prelude::*;

use crate::state::JobState;

/// A background job.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "jobs",
    comment = "background jobs, run at least once; kept for 14 days after they end"
)]
pub struct Model {
    /// Tenant ID; nil for jobs of the instance.
    #[sea_orm(primary_key, auto_increment = false, comment = "tenant ID; nil for jobs of the instance")]
    pub tenant_id: TenantId,
    /// ID of the job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// Kind, which selects the handler.
    #[sea_orm(column_type = "Text", comment = "kind, which selects the handler")]
    pub kind: String,
    /// Input of the handler.
    #[sea_orm(column_type = "JsonBinary", comment = "input of the handler; never contains secrets")]
    pub payload: Json,
    /// State.
    #[sea_orm(comment = "queued, running, succeeded, failed, cancelled")]
    pub state: JobState,
    /// Number of attempts started.
    #[sea_orm(
        comment = "number of attempts started, including the current one; counted when the job is claimed"
    )]
    pub attempts: i32,
    /// Maximum number of attempts.
    #[sea_orm(comment = "maximum number of attempts")]
    pub max_attempts: i32,
    /// Earliest time to run.
    #[sea_orm(comment = "earliest time to run")]
    pub run_at: DateTimeUtc,
    /// When the lease expires.
    #[sea_orm(comment = "while running: when the lease of its node expires; the job is then claimed again")]
    pub lease_until: Option<DateTimeUtc>,
    /// Node that holds the lease.
    #[sea_orm(comment = "node that holds the lease")]
    pub lease_owner: Option<NodeId>,
    /// Error of the last failed attempt.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "error of the last failed attempt, at most 2,000 characters"
    )]
    pub last_error: Option<String>,
    /// Prevents duplicates.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "prevents duplicates: a second job of this kind with this key is not enqueued"
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
