//! Uses of tools whose server died meanwhile.

use async_trait::async_trait;
use loam_gateway::Gateway;
use loam_jobs::{Handler, JobContext};
use loam_kernel::Result;
use serde_json::Value;

/// Ends them, so that none is running for ever.
pub(crate) struct EndLostToolCalls(pub(crate) Gateway);

impl EndLostToolCalls {
    pub(crate) const KIND: &str = "tool_calls.end_lost";
}

#[async_trait]
impl Handler for EndLostToolCalls {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, _: &JobContext, _: Value) -> Result<()> {
        let ended = self.0.fail_lost_tool_calls().await?;
        if ended > 0 {
            tracing::warn!(tool_calls = ended, "ended uses of tools whose server had died");
        }
        Ok(())
    }
}
