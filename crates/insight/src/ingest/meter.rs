//! Rate limits: requests and bytes of each project in the current minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_kernel::{Error, Kind, ProjectId, Result};

use super::settings::IngestSettings;

/// Counts what projects send to this node in each minute of the clock.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    number: i64,
    projects: HashMap<ProjectId, Usage>,
}

#[derive(Clone, Copy, Default)]
struct Usage {
    requests: u64,
    bytes: u64,
}

impl Meter {
    /// Counts a request before its body is read.
    ///
    /// # Errors
    /// 429 if the project has reached a limit, with the seconds until the next minute.
    pub(super) fn request(
        &self,
        project: ProjectId,
        now: DateTime<Utc>,
        limits: &IngestSettings,
    ) -> Result<()> {
        self.count(project, now, |usage| {
            if limits.requests_per_minute.is_some_and(|max| usage.requests >= max) {
                return Err("requests");
            }
            if limits.bytes_per_minute.is_some_and(|max| usage.bytes >= max) {
                return Err("bytes");
            }
            usage.requests += 1;
            Ok(())
        })
    }

    /// Counts the bytes of a body. An excess is rejected with the next request.
    pub(super) fn bytes(&self, project: ProjectId, now: DateTime<Utc>, bytes: usize) {
        _ = self.count(project, now, |usage| {
            usage.bytes = usage.bytes.saturating_add(bytes as u64);
            Ok(())
        });
    }

    fn count(
        &self,
        project: ProjectId,
        now: DateTime<Utc>,
        count: impl FnOnce(&mut Usage) -> Result<(), &'static str>,
    ) -> Result<()> {
        let seconds = now.timestamp();
        let number = seconds.div_euclid(60);
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.number != number {
            minute.projects.clear();
            minute.number = number;
        }
        count(minute.projects.entry(project).or_default()).map_err(|what| {
            let message =
                format!("this project has reached its limit of {what} per minute; retry in the next minute");
            let retry_after = Duration::from_secs(60 - seconds.rem_euclid(60).unsigned_abs());
            Error::new(Kind::TooMany, "telemetry_limit", message).with_retry_after(retry_after)
        })
    }
}

#[cfg(test)]
mod tests {
    use loam_kernel::Clock;

    use super::*;

    #[test]
    fn limits_apply_per_project_and_minute() {
        let (meter, clock) = (Meter::default(), Clock::system());
        let (one, other): (ProjectId, ProjectId) = (clock.id(), clock.id());
        let limits = IngestSettings {
            requests_per_minute: Some(2),
            bytes_per_minute: Some(100),
            ..IngestSettings::default()
        };
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        assert!(meter.request(one, at(0), &limits).is_ok() && meter.request(one, at(1), &limits).is_ok());
        let refused = meter.request(one, at(20), &limits).unwrap_err();
        assert_eq!((refused.status(), refused.retry_after()), (429, Some(Duration::from_secs(40))));
        assert!(meter.request(other, at(20), &limits).is_ok(), "another project has its own limit");
        assert!(meter.request(one, at(60), &limits).is_ok());
        meter.bytes(one, at(61), 100);
        assert!(meter.request(one, at(62), &limits).unwrap_err().message().contains("bytes"));
    }
}
