//! Writes the times of projects' last telemetry.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::activity::WRITE_INTERVAL_US;
use crate::ingest::Ingest;

/// How often due writes are looked for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl Ingest {
    /// Writes the time of each project's last telemetry periodically, until it is stopped.
    pub(crate) async fn write_activity_periodically(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_some() {
            self.write_activity(WRITE_INTERVAL_US).await;
        }
        self.write_activity(0).await;
    }

    async fn write_activity(&self, every: i64) {
        let due = self.0.activity.due(self.0.clock.now().timestamp_micros(), every);
        if due.is_empty() {
            return;
        }
        if let Err(e) = self.0.identity.write_activity(&due).await {
            tracing::debug!(error = %e, "cannot write when projects last sent telemetry; retrying with the next write");
        }
    }
}
