//! The state of a job.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time, or for a free node.
    Queued,
    /// A node holds its lease.
    Running,
    /// Finished successfully.
    Succeeded,
    /// Failed for good: after its last attempt, or because a retry can't help.
    Failed,
    /// Cancelled.
    Cancelled,
}
