//! What a deleted project leaves behind in other domains, which removes jobs of theirs.

use chrono::TimeDelta;
use loam_db::Tx;
use loam_jobs::{NewJob, enqueue};
use loam_kernel::{Clock, ProjectId, Result};
use serde::{Deserialize, Serialize};

/// The job that deletes a deleted project's telemetry.
pub const DELETE_TELEMETRY: &str = "projects.delete_telemetry";
/// The job that detaches sessions and channels from a deleted project.
pub const DETACH_SESSIONS: &str = "projects.detach_sessions";
/// When they run again, for what was in progress when the project was deleted.
const RECHECK_DELAY: TimeDelta = TimeDelta::minutes(2);

/// The input of these jobs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DeletedProject {
    /// The project.
    pub project_id: ProjectId,
}

/// Enqueues the jobs, in the transaction that deletes the project.
pub(super) async fn enqueue_jobs<R>(tx: &Tx<R>, clock: &Clock, project_id: ProjectId) -> Result<()> {
    for kind in [DELETE_TELEMETRY, DETACH_SESSIONS] {
        let job = || NewJob::new(kind, DeletedProject { project_id });
        enqueue(tx, clock, job()).await?;
        enqueue(tx, clock, job().at(clock.now() + RECHECK_DELAY)).await?;
    }
    Ok(())
}
