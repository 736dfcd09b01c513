//! What a new tenant starts with in other domains, which create it by jobs.

use loam_db::Tx;
use loam_jobs::{NewJob, enqueue};
use loam_kernel::{Clock, Result};
use serde_json::json;

/// The job that creates the inactive providers of a new tenant.
pub const PREPARE_PROVIDERS: &str = "tenants.prepare_providers";

/// Enqueues the jobs, in the transaction that creates the tenant, which is the transaction's tenant by now.
pub(crate) async fn enqueue_jobs<R>(tx: &Tx<R>, clock: &Clock) -> Result<()> {
    enqueue(tx, clock, NewJob::new(PREPARE_PROVIDERS, json!({}))).await.map(drop)
}
