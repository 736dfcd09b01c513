//! Counters of failed attempts by key, and the resulting waiting times.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// Failures expire this long after the last one.
const FAILURE_TTL: TimeDelta = TimeDelta::hours(1);
/// Maximum number of keys in a table.
const MAX_KEYS: usize = 50_000;

pub(super) type Digest32 = [u8; 32];

/// The rule of a table.
pub(super) struct Rule {
    /// Failures before the next attempt has to wait.
    pub(super) free: u32,
    /// The longest wait.
    pub(super) longest: TimeDelta,
    /// The time after which one failure expires; none: all expire together, some time after the last one.
    pub(super) leaks: Option<TimeDelta>,
}

pub(super) struct Table {
    rule: Rule,
    seen: Mutex<HashMap<Digest32, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Table {
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Digest32, Failures>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time until the next attempt is allowed.
    pub(super) fn wait(&self, key: &Digest32, now: DateTime<Utc>) -> TimeDelta {
        let failures = self.seen().get(key).copied();
        // a free failure delays nobody, not even an attempt that began just before it was counted
        let failures = failures.filter(|failures| failures.count >= self.rule.free);
        failures.map_or(TimeDelta::zero(), |failures| failures.until - now)
    }

    /// Counts a failure.
    pub(super) fn count(&self, key: Digest32, now: DateTime<Utc>) {
        let mut seen = self.seen();
        if seen.len() >= MAX_KEYS && !seen.contains_key(&key) {
            seen.retain(|_, failures| now < failures.last + FAILURE_TTL);
            if seen.len() >= MAX_KEYS {
                // keys that still have to wait stay
                seen.retain(|_, failures| now < failures.until);
            }
            if seen.len() >= MAX_KEYS {
                seen.clear();
            }
        }
        let failures = seen.entry(key).or_insert(Failures { count: 0, last: now, until: now });
        let since = now - failures.last;
        if since >= FAILURE_TTL {
            failures.count = 0;
        }
        if let Some(leaks) = self.rule.leaks {
            let leaked = since.num_seconds() / leaks.num_seconds().max(1);
            failures.count = failures.count.saturating_sub(u32::try_from(leaked).unwrap_or_default());
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        failures.until = now + self.rule.pause(failures.count);
    }

    /// Removes all failures of a key.
    pub(super) fn reset(&self, key: &Digest32) {
        self.seen().remove(key);
    }

    /// Removes one failure of a key.
    pub(super) fn undo(&self, key: &Digest32) {
        if let Some(failures) = self.seen().get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
            failures.until = failures.last + self.rule.pause(failures.count);
        }
    }
}

impl Rule {
    fn pause(&self, count: u32) -> TimeDelta {
        match count.checked_sub(self.free) {
            None => TimeDelta::zero(),
            Some(beyond) => TimeDelta::seconds(1_i64 << beyond.min(20)).min(self.longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(n)
    }

    #[test]
    fn failures_are_forgotten_when_the_last_is_long_ago() {
        let table = Table::new(Rule { free: 1, longest: TimeDelta::minutes(1), leaks: None });
        table.count([0; 32], seconds(0));
        assert!(table.wait(&[0; 32], seconds(0)) > TimeDelta::zero());
        table.count([0; 32], seconds(3600));
        assert_eq!(table.seen().values().next().unwrap().count, 1, "the first again");
    }

    #[test]
    fn failures_that_come_slowly_do_not_add_up_where_they_leak() {
        let minute = TimeDelta::minutes(1);
        let table = Table::new(Rule { free: 3, longest: minute, leaks: Some(minute) });
        for n in 0..1000 {
            table.count([0; 32], seconds(n * 60));
            assert_eq!(table.wait(&[0; 32], seconds(n * 60)), TimeDelta::zero(), "the {n}th");
        }
    }

    #[test]
    fn who_began_before_a_free_one_was_counted_does_not_wait_for_it() {
        let table = Table::new(Rule { free: 2, longest: TimeDelta::minutes(1), leaks: None });
        table.count([0; 32], seconds(10));
        assert_eq!(table.wait(&[0; 32], seconds(9)), TimeDelta::zero());
        table.count([0; 32], seconds(10));
        assert!(table.wait(&[0; 32], seconds(9)) > TimeDelta::zero());
    }

    #[test]
    fn one_that_is_taken_back_leaves_the_others() {
        let table = Table::new(Rule { free: 2, longest: TimeDelta::minutes(1), leaks: None });
        for _ in 0..4 {
            table.count([0; 32], seconds(0));
        }
        let before = table.wait(&[0; 32], seconds(0));
        table.count([0; 32], seconds(0));
        table.undo(&[0; 32]);
        assert_eq!(table.wait(&[0; 32], seconds(0)), before);
    }
}
