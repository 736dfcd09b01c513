//! Periodic maintenance of login sessions and keys.

use async_trait::async_trait;
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use serde_json::Value;

use crate::Identity;

/// Rotates signing keys, and deletes expired sessions, markers of operator access and digests of erased subjects.
pub struct RotateSigningKeys(pub Identity);

impl RotateSigningKeys {
    /// The job kind.
    pub const KIND: &str = "identity.renew_keys";
}

#[async_trait]
impl Handler for RotateSigningKeys {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        self.0.renew_signing_keys(&job.scope()).await?;
        self.0.delete_old_digests(&job.scope()).await?;
        self.0.delete_old_sessions(&job.scope()).await
    }
}
