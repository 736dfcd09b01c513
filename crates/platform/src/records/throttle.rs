//! A rate limit per second.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};

/// Allows a number of events per second, so that events that anybody can cause can't fill the disk.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// The second, and how many passed in it, in one number: 40 and 24 bits.
    state: AtomicU64,
}

const COUNT_BITS: u32 = 24;

impl Throttle {
    /// Whether one more event is allowed.
    pub(crate) fn allow(&self, now: DateTime<Utc>, per_second: u32) -> bool {
        let second = now.timestamp().unsigned_abs();
        let count =
            |state: u64| if state >> COUNT_BITS == second { state & ((1 << COUNT_BITS) - 1) } else { 0 };
        let next = |state: u64| {
            let passed = count(state);
            (passed < u64::from(per_second)).then_some((second << COUNT_BITS) | (passed + 1))
        };
        self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pass_each_second() {
        let throttle = Throttle::default();
        let second = |n: i64| DateTime::from_timestamp(1_700_000_000 + n, 0).expect("a time");
        let passed = |n| (0..10).filter(|_| throttle.allow(second(n), 3)).count();
        assert_eq!([passed(0), passed(0), passed(1), passed(5)], [3, 0, 3, 3]);
        assert!(!throttle.allow(second(9), 0));
    }
}
