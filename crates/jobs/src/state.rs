//! Where a job stands.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time, or for a free node.
    Queued,
    /// A node holds its lease.
    Running,
    /// Done.
    Succeeded,
    /// Given up, after its last attempt or because no attempt can help.
    Failed,
    /// Called off.
    Cancelled,
}
