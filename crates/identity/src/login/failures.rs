//! Failures by what they are counted by, and how long each has to wait.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// Failures are forgotten this long after the last.
const FORGET: TimeDelta = TimeDelta::hours(1);
/// Keys that are remembered by a table.
const MOST: usize = 50_000;

pub(super) type Digest32 = [u8; 32];

/// How a table counts.
pub(super) struct Rule {
    /// Failures before the next has to wait.
    pub(super) free: u32,
    /// The longest wait.
    pub(super) longest: TimeDelta,
    /// How long it takes until one failure is forgotten; none: all are together, when the last is long ago.
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

    /// How long it is until the next try.
    pub(super) fn wait(&self, key: &Digest32, now: DateTime<Utc>) -> TimeDelta {
        let failures = self.seen().get(key).copied();
        // one that is free delays nobody, not even who began a moment before it was counted
        let failures = failures.filter(|failures| failures.count >= self.rule.free);
        failures.map_or(TimeDelta::zero(), |failures| failures.until - now)
    }

    /// Counts a failure.
    pub(super) fn count(&self, key: Digest32, now: DateTime<Utc>) {
        let mut seen = self.seen();
        if seen.len() >= MOST && !seen.contains_key(&key) {
            seen.retain(|_, failures| now < failures.last + FORGET);
            if seen.len() >= MOST {
                // those who must wait stay
                seen.retain(|_, failures| now < failures.until);
            }
            if seen.len() >= MOST {
                seen.clear();
            }
        }
        let failures = seen.entry(key).or_insert(Failures { count: 0, last: now, until: now });
        let since = now - failures.last;
        if since >= FORGET {
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

    /// Forgets all failures.
    pub(super) fn forget(&self, key: &Digest32) {
        self.seen().remove(key);
    }

    /// Forgets one failure.
    pub(super) fn take_back(&self, key: &Digest32) {
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
        table.take_back(&[0; 32]);
        assert_eq!(table.wait(&[0; 32], seconds(0)), before);
    }
}
