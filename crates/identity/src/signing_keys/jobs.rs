//! What is done to log-ins and keys by itself.

use async_trait::async_trait;
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use serde_json::Value;

use crate::Identity;

/// Renews signing keys, and deletes sessions, records of openings and digests of the erased that are of no more use.
pub struct RotateSigningKeys(pub Identity);

impl RotateSigningKeys {
    /// The kind of its jobs.
    pub const KIND: &str = "identity.renew_keys";
}

#[async_trait]
impl Handler for RotateSigningKeys {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        self.0.renew_signing_keys(&job.scope()).await?;
        self.0.forget_erased(&job.scope()).await?;
        self.0.forget_old_sessions(&job.scope()).await
    }
}
