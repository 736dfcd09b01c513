//! What people do to jobs, on the trail.

use async_trait::async_trait;
use loam_db::{System, Tenant, Tx};
use loam_jobs::{ChangeLog, JobChange};
use loam_kernel::{Clock, Result};
use serde_json::json;

use super::{Change, record};

/// Records changes of jobs.
pub struct JobChanges(pub Clock);

#[async_trait]
impl ChangeLog for JobChanges {
    async fn record(&self, tx: &Tx<Tenant>, change: &JobChange<'_>) -> Result<()> {
        write(tx, &self.0, change).await
    }

    async fn record_instance(&self, tx: &Tx<System>, change: &JobChange<'_>) -> Result<()> {
        write(tx, &self.0, change).await
    }
}

async fn write<R>(tx: &Tx<R>, clock: &Clock, change: &JobChange<'_>) -> Result<()> {
    let id = change.id.to_string();
    let changes = json!({ "kind": change.kind, "before": change.before, "after": change.after });
    record(tx, clock, Change { action: change.action, resource_type: "jobs", resource_id: &id, changes })
        .await
}
