//! The alert thresholds of a project, which the domain of alert rules applies by a job.

use loam_db::Tx;
use loam_jobs::{NewJob, enqueue};
use loam_kernel::{Clock, ProjectId, Result};
use serde::{Deserialize, Serialize};

/// The job that applies a project's `alert_threshold` to its managed alert rules.
pub const APPLY_ALERT_THRESHOLDS: &str = "projects.apply_alert_thresholds";

/// The input of the job.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ApplyAlertThresholds {
    /// The project.
    pub project_id: ProjectId,
    /// Whether the project is new, and its rules are to be created.
    pub is_new: bool,
}

/// Enqueues the job, in the transaction that changes the project.
pub(super) async fn apply_alert_thresholds<R>(
    tx: &Tx<R>,
    clock: &Clock,
    project_id: ProjectId,
    is_new: bool,
) -> Result<()> {
    let job = NewJob::new(APPLY_ALERT_THRESHOLDS, ApplyAlertThresholds { project_id, is_new });
    enqueue(tx, clock, job).await.map(drop)
}
