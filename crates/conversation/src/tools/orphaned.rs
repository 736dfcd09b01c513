//! Tool calls whose server crashed.

use async_trait::async_trait;
use loam_gateway::Gateway;
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use serde_json::Value;

/// Marks them as failed, so that none stays running forever.
pub(crate) struct EndOrphanedToolCalls(pub(crate) Gateway);

impl EndOrphanedToolCalls {
    pub(crate) const KIND: &str = "tool_calls.end_lost";
}

#[async_trait]
impl Handler for EndOrphanedToolCalls {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, _: &JobContext, _: Value) -> Result<()> {
        let ended = self.0.fail_lost_tool_calls().await?;
        if ended > 0 {
            tracing::warn!(tool_calls = ended, "ended tool calls whose server had crashed");
        }
        Ok(())
    }
}
