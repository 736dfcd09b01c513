//! When projects last sent something: noted in memory as it comes, written down once a minute at most.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, TenantId};
use tokio_util::sync::CancellationToken;

use crate::service::Insight;

/// How often it is looked for what to write.
const LOOK: Duration = Duration::from_secs(1);
/// Microseconds between two writes of one project.
const EVERY: i64 = 60_000_000;
/// Projects noted at most.
const MAX: usize = 100_000;

/// When each project was heard of, and what of that is written, in microseconds since 1970.
#[derive(Default)]
pub(crate) struct Activity(Mutex<HashMap<(TenantId, ProjectId), (i64, i64)>>);

impl Activity {
    pub(super) fn note(&self, tenant: TenantId, project: ProjectId, now: DateTime<Utc>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX {
            all.retain(|_, (seen, written)| seen > written);
        }
        all.entry((tenant, project)).or_default().0 = now.timestamp_micros();
    }

    /// What is due, which counts as written from now on.
    fn due(&self, now: i64, every: i64) -> Vec<(TenantId, ProjectId, i64)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for ((tenant, project), (seen, written)) in all.iter_mut() {
            if *seen > *written && now - *written >= every {
                *written = *seen;
                due.push((*tenant, *project, *seen));
            }
        }
        due
    }
}

impl Insight {
    /// Writes down when projects last sent something, until it is told to stop.
    pub async fn watch_activity(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            self.write_activity(EVERY).await;
        }
        self.write_activity(0).await;
    }

    async fn write_activity(&self, every: i64) {
        let due = self.0.activity.due(self.0.clock.now().timestamp_micros(), every);
        if due.is_empty() {
            return;
        }
        if let Err(e) = self.0.identity.write_activity(&due).await {
            tracing::debug!(error = %e, "cannot write when projects last sent something; the next minute will");
        }
    }
}

#[cfg(test)]
mod tests {
    use loam_kernel::Clock;

    use super::*;

    #[test]
    fn a_project_is_written_down_once_a_minute_however_much_it_sends() {
        let (activity, clock) = (Activity::default(), Clock::system());
        let (tenant, project): (TenantId, ProjectId) = (clock.id(), clock.id());
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let due = |second| activity.due(at(second).timestamp_micros(), EVERY).len();
        activity.note(tenant, project, at(0));
        assert_eq!((due(1), due(2)), (1, 0));
        activity.note(tenant, project, at(5));
        assert_eq!((due(6), due(61), due(62)), (0, 1, 0));
        activity.note(tenant, project, at(63));
        assert_eq!(
            activity.due(at(64).timestamp_micros(), 0).len(),
            1,
            "the last before a stop is written at once"
        );
    }
}
