//! Hosts that answer nothing. What is sent to one takes its whole time out each time, so it is left alone for a while;
//! the first attempt after that shows whether it is back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::Uri;
use loam_kernel::TenantId;

/// Attempts in a row without an answer, after which a host is left alone.
const FAILURES_BEFORE_BACKOFF: u32 = 3;
/// For how long at first; twice as long each time that it still doesn't answer.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);
/// Hosts that are remembered. Beyond that the others are simply tried.
const MAX_HOSTS: usize = 10_000;

/// What is known of hosts. Each tenant's own, so that none can have a host left alone for another.
#[derive(Default)]
pub(super) struct HostBackoff(Mutex<HashMap<(TenantId, String), Host>>);

struct Host {
    /// Attempts in a row, and rests after them, without an answer.
    failures: u32,
    /// Left alone until then.
    until: DateTime<Utc>,
}

impl HostBackoff {
    /// For how long the host of a target is to be left alone. Once that is over one attempt is let through, which may take
    /// `attempt`, and the others wait for what comes of it.
    pub(super) fn wait_for(
        &self,
        tenant: TenantId,
        target: &str,
        now: DateTime<Utc>,
        attempt: Duration,
    ) -> Option<Duration> {
        let mut hosts = self.lock();
        let host = hosts.get_mut(&(tenant, host_of(target)))?;
        if host.failures < FAILURES_BEFORE_BACKOFF {
            return None;
        }
        if host.until > now {
            return (host.until - now).to_std().ok();
        }
        host.until = now + TimeDelta::from_std(attempt).unwrap_or_default();
        None
    }

    /// Notes that an attempt that began then got no answer.
    pub(super) fn record_no_response(
        &self,
        tenant: TenantId,
        target: &str,
        began: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        let mut hosts = self.lock();
        if hosts.len() >= MAX_HOSTS {
            hosts.retain(|_, host| host.until > now);
        }
        let room = hosts.len() < MAX_HOSTS;
        let key = (tenant, host_of(target));
        if !room && !hosts.contains_key(&key) {
            return;
        }
        let host = hosts.entry(key).or_insert(Host { failures: 0, until: began });
        // those that were under way together tell one thing, and not many
        if host.failures >= FAILURES_BEFORE_BACKOFF && host.until > now + FIRST / 2 {
            return;
        }
        host.failures += 1;
        let doublings = host.failures.saturating_sub(FAILURES_BEFORE_BACKOFF).min(16);
        let rest = FIRST.saturating_mul(1 << doublings).min(LONGEST);
        if host.failures >= FAILURES_BEFORE_BACKOFF {
            host.until = now + TimeDelta::from_std(rest).unwrap_or_default();
        }
    }

    /// Notes that a host answers, whatever it said.
    pub(super) fn record_response(&self, tenant: TenantId, target: &str) {
        self.lock().remove(&(tenant, host_of(target)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, String), Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host of a URL; of anything else, such as an address of mail, the whole of it.
fn host_of(target: &str) -> String {
    match target.parse::<Uri>() {
        Ok(uri) if uri.authority().is_some() && uri.scheme().is_some() => {
            uri.authority().map_or_else(String::new, |authority| authority.as_str().to_ascii_lowercase())
        }
        _ => target.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ACME: TenantId = TenantId(Uuid::from_u128(1));
    const OTHER: TenantId = TenantId(Uuid::from_u128(2));
    const ATTEMPT: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + seconds, 0).expect("a time")
    }

    #[test]
    fn a_silent_host_is_left_alone_longer_and_longer_until_it_answers() {
        let backoff = HostBackoff::default();
        let wait_for = |path: &str, seconds| {
            backoff.wait_for(ACME, &format!("https://dead.example/{path}"), at(seconds), ATTEMPT)
        };
        for second in [0, 1] {
            backoff.record_no_response(ACME, "https://dead.example/a", at(second), at(second));
            assert_eq!(wait_for("b", second), None);
        }
        // five end together: they are one failure
        for _ in 0..5 {
            backoff.record_no_response(ACME, "https://dead.example/a", at(2), at(2));
        }
        assert_eq!(wait_for("b", 2), Some(FIRST));
        assert_eq!(backoff.wait_for(OTHER, "https://dead.example/a", at(2), ATTEMPT), None);
        assert_eq!(backoff.wait_for(ACME, "https://well.example/a", at(2), ATTEMPT), None);
        // one is let through, and the others wait for what comes of it
        assert_eq!(wait_for("b", 40), None);
        assert_eq!(wait_for("c", 41), Some(Duration::from_secs(9)));
        backoff.record_no_response(ACME, "https://dead.example/b", at(40), at(50));
        assert_eq!(wait_for("c", 50), Some(FIRST * 2));
        assert_eq!(wait_for("c", 120), None);
        backoff.record_response(ACME, "https://dead.example/c");
        assert_eq!(wait_for("b", 121), None);
        assert_eq!(wait_for("c", 121), None);
    }

    #[test]
    fn a_target_that_is_no_url_is_its_own_host() {
        assert_eq!(host_of("https://Hooks.example:8443/a?b"), "hooks.example:8443");
        assert_eq!(host_of("ada@example.com"), "ada@example.com");
        assert_eq!(host_of("chat 12"), "chat 12");
    }
}
