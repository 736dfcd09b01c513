//! Time and ids come from here, so that a test can set both.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use uuid::{ClockSequence, ContextV7, NoContext, Timestamp, Uuid};

/// Where time, ids and random bytes come from.
#[derive(Clone, Debug)]
pub struct Clock(Source);

/// Keeps ids in the order of their creation, within a millisecond and when the machine's clock steps back.
#[derive(Debug)]
struct Order {
    context: ContextV7,
    /// Milliseconds since 1970: the latest time for which an id was created.
    last: i64,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Microseconds since 1970, set by the test; with its own order, as it has its own time.
    Fixed(Arc<AtomicI64>, Arc<Mutex<Order>>),
}

/// One per process, as there is one system clock.
static ORDER: Mutex<Order> = Mutex::new(Order::new());

impl Order {
    const fn new() -> Self {
        Self { context: ContextV7::new(), last: i64::MIN }
    }

    fn next(&mut self, at: DateTime<Utc>) -> Uuid {
        self.last = self.last.max(at.timestamp_millis());
        Uuid::new_v7(timestamp(&self.context, at))
    }
}

/// Microseconds that a test adds to the machine's clock, so that it need not wait for a minute to end; set in seconds by
/// `LOAM_TEST_CLOCK_OFFSET`. Builds without debug assertions ignore it: nobody can move the clock of a release.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "a clock is made in many places, and only a test moves one")]
fn offset() -> i64 {
    static OFFSET: std::sync::LazyLock<i64> = std::sync::LazyLock::new(|| {
        let seconds = std::env::var("LOAM_TEST_CLOCK_OFFSET").ok().and_then(|text| text.parse::<i32>().ok());
        i64::from(seconds.unwrap_or(0)) * 1_000_000
    });
    *OFFSET
}

#[cfg(not(debug_assertions))]
const fn offset() -> i64 {
    0
}

fn timestamp(context: impl ClockSequence<Output = impl Into<u128>>, at: DateTime<Utc>) -> Timestamp {
    Timestamp::from_unix(context, u64::try_from(at.timestamp()).unwrap_or(0), at.timestamp_subsec_nanos())
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is moved.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Source::Fixed(
            Arc::new(AtomicI64::new(at.timestamp_micros())),
            Arc::new(Mutex::new(Order::new())),
        ))
    }

    /// Moves a fixed clock; does nothing to the machine's clock.
    pub fn advance(&self, by: chrono::TimeDelta) {
        if let Source::Fixed(micros, _) = &self.0 {
            micros.fetch_add(by.num_microseconds().unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }

    /// Now, in UTC, to the microsecond, which is what both databases store.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.0 {
            Source::System => Utc::now().timestamp_micros() + offset(),
            Source::Fixed(micros, _) => micros.load(Ordering::Relaxed),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// A new UUIDv7 of the current time, greater than every earlier one.
    pub fn id<T: From<Uuid>>(&self) -> T {
        let now = self.now();
        T::from(self.order().next(now))
    }

    /// A new UUIDv7 of exactly the given time, for rows with the time of an event, and for bounds.
    pub fn id_at(&self, at: DateTime<Utc>) -> Uuid {
        let now = self.now();
        let mut order = self.order();
        // not recorded in the order: a past time must stay the past, and a future one must not apply to all ids until then
        if at.timestamp_millis() < order.last || at > now {
            Uuid::new_v7(timestamp(NoContext, at))
        } else {
            order.next(at)
        }
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        let order = match &self.0 {
            Source::System => &ORDER,
            Source::Fixed(_, order) => &**order,
        };
        order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Random bytes from the operating system, fit for keys and secrets.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0_u8; N];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn moment(id: Uuid) -> u64 {
        let (seconds, nanos) = id.get_timestamp().expect("a UUIDv7 has a time").to_unix();
        seconds * 1000 + u64::from(nanos) / 1_000_000
    }

    #[test]
    fn ids_are_in_the_order_in_which_they_are_made() {
        for clock in [Clock::system(), Clock::fixed(DateTime::UNIX_EPOCH)] {
            let ids: Vec<Uuid> = (0..10_000).map(|_| clock.id()).collect();
            assert!(ids.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn an_id_of_the_past_has_the_time_of_the_past() {
        for clock in [Clock::system(), Clock::fixed(Clock::system().now())] {
            let now: Uuid = clock.id();
            let hour_ago = clock.now() - TimeDelta::hours(1);
            let (before, after) = (clock.id_at(hour_ago), clock.id_at(hour_ago + TimeDelta::milliseconds(1)));
            assert_eq!(moment(before), hour_ago.timestamp_millis().unsigned_abs());
            assert!(before < after && after < now);
            assert_ne!(before, clock.id_at(hour_ago));
        }
    }

    #[test]
    fn an_id_of_the_future_does_not_keep_the_present_waiting() {
        let clock = Clock::fixed(Clock::system().now());
        let to_come = clock.now() + TimeDelta::days(90);
        assert_eq!(moment(clock.id_at(to_come)), to_come.timestamp_millis().unsigned_abs());
        for id in [clock.id(), clock.id_at(clock.now())] {
            assert_eq!(moment(id), clock.now().timestamp_millis().unsigned_abs());
        }
    }

    #[test]
    fn a_fixed_clock_stands_until_it_is_moved() {
        let clock = Clock::fixed(DateTime::UNIX_EPOCH);
        let same = clock.clone();
        clock.advance(TimeDelta::seconds(90));
        assert_eq!(same.now().timestamp(), 90);
        assert!(Clock::system().now() > same.now());
        assert_ne!(clock.random::<16>(), clock.random::<16>());
    }
}
