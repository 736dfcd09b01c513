//! The time of each project's last telemetry: kept in memory, and written to the database at most once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, TenantId};

/// Microseconds between two writes of the same project.
pub(super) const WRITE_INTERVAL_US: i64 = 60_000_000;
/// Projects in memory above which those already written are dropped.
const MAX_PROJECTS: usize = 100_000;

/// For each project, when it last sent telemetry and which time was last written, in microseconds since 1970.
#[derive(Default)]
pub(crate) struct Activity(Mutex<HashMap<(TenantId, ProjectId), (i64, i64)>>);

impl Activity {
    pub(super) fn record(&self, tenant: TenantId, project: ProjectId, now: DateTime<Utc>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_PROJECTS {
            all.retain(|_, (seen, written)| seen > written);
        }
        all.entry((tenant, project)).or_default().0 = now.timestamp_micros();
    }

    /// The projects whose time is due for writing. They are marked as written.
    pub(super) fn due(&self, now: i64, every: i64) -> Vec<(TenantId, ProjectId, i64)> {
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

#[cfg(test)]
mod tests {
    use loam_kernel::Clock;

    use super::*;

    #[test]
    fn activity_is_written_at_most_once_a_minute() {
        let (activity, clock) = (Activity::default(), Clock::system());
        let (tenant, project): (TenantId, ProjectId) = (clock.id(), clock.id());
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let due = |second| activity.due(at(second).timestamp_micros(), WRITE_INTERVAL_US).len();
        activity.record(tenant, project, at(0));
        assert_eq!((due(1), due(2)), (1, 0));
        activity.record(tenant, project, at(5));
        assert_eq!((due(6), due(61), due(62)), (0, 1, 0));
        activity.record(tenant, project, at(63));
        assert_eq!(
            activity.due(at(64).timestamp_micros(), 0).len(),
            1,
            "pending times are written at shutdown"
        );
    }
}
