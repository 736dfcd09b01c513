//! Start times of conversations: growing from month to month, more by day than by night, more on weekdays than at weekends.

use chrono::{DateTime, Datelike, Months, TimeDelta, Timelike, Utc, Weekday};
use fastrand::Rng;

/// Relative activity by local hour of the day.
const HOURS: [f64; 24] = [
    0.25, 0.12, 0.06, 0.04, 0.04, 0.06, 0.15, 0.4, 0.8, 1.2, 1.35, 1.2, //
    0.9, 1.05, 1.3, 1.35, 1.25, 1.1, 0.95, 1.05, 1.2, 1.15, 0.85, 0.5,
];
/// Offset from UTC in hours, and share of the users in that time zone.
const TIME_ZONES: [(i64, f64); 3] = [(8, 0.62), (1, 0.2), (-5, 0.18)];
/// Ratio of the activity at the end to that at the start.
const GROWTH: f64 = 2.5;

/// The hours of a time range, each with its share of the conversations.
pub(crate) struct Schedule {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    /// Cumulative weights of the hours.
    sums: Vec<f64>,
}

impl Schedule {
    /// A schedule of `months` months up to `until`.
    pub(crate) fn new(months: u32, until: DateTime<Utc>) -> Self {
        let from = until - Months::new(months);
        let hours = (until - from).num_hours().max(1);
        let mut sum = 0.0;
        let sums = (0..hours).map(|hour| {
            #[expect(clippy::cast_precision_loss, reason = "hours of some years are few")]
            let grown = 1.0 + (GROWTH - 1.0) * hour as f64 / hours as f64;
            sum += grown * weight(from + TimeDelta::hours(hour));
            sum
        });
        Self { from, until, sums: sums.collect() }
    }

    /// Start of the schedule.
    pub(crate) fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// End of the schedule; no conversation starts later.
    pub(crate) fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// Start of conversation `number` of `all`: in order, distributed by the weights of the hours.
    pub(crate) fn of(&self, number: u64, all: u64, rng: &mut Rng) -> DateTime<Utc> {
        let total = self.sums.last().copied().unwrap_or(1.0);
        #[expect(clippy::cast_precision_loss, reason = "far fewer conversations than an f64 can count")]
        let target = total * (number as f64 + 0.5) / all as f64;
        let hour = self.sums.partition_point(|sum| *sum < target).min(self.sums.len() - 1);
        let before = if hour == 0 { 0.0 } else { self.sums[hour - 1] };
        let within =
            ((target - before) / (self.sums[hour] - before).max(f64::MIN_POSITIVE)).clamp(0.0, 0.999);
        // evenly within the hour, with a jitter of up to 20 seconds
        let seconds = within * 3600.0 + rng.f64() * 20.0;
        let hour = i64::try_from(hour).unwrap_or(i64::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "within an hour")]
        let micros = (seconds * 1e6) as i64;
        (self.from + TimeDelta::hours(hour) + TimeDelta::microseconds(micros)).min(self.until)
    }
}

fn weight(hour: DateTime<Utc>) -> f64 {
    let weight_in = |(offset, share): (i64, f64)| {
        let local = hour + TimeDelta::hours(offset);
        let weekend = matches!(local.weekday(), Weekday::Sat | Weekday::Sun);
        share * HOURS[local.hour() as usize % 24] * if weekend { 0.55 } else { 1.0 }
    };
    TIME_ZONES.into_iter().map(weight_in).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_is_higher_by_day_on_weekdays_and_over_time() {
        let until: DateTime<Utc> = "2026-11-01T00:00:00Z".parse().expect("a time");
        let times = Schedule::new(12, until);
        let mut rng = Rng::with_seed(1);
        let all: Vec<DateTime<Utc>> = (0..50_000).map(|n| times.of(n, 50_000, &mut rng)).collect();
        assert!(all.iter().all(|at| (times.from()..=until).contains(at)));
        let count =
            |condition: &dyn Fn(&DateTime<Utc>) -> bool| all.iter().filter(|at| condition(at)).count();
        let in_hours = |from, to| count(&move |at| (from..to).contains(&at.hour()));
        let hours: Vec<usize> = (0..24).map(|hour| in_hours(hour, hour + 1)).collect();
        let (min, max) = (hours.iter().min().copied(), hours.iter().max().copied());
        assert!(max > min.map(|min| 2 * min), "{hours:?}");
        assert!(in_hours(1, 9) > in_hours(16, 24), "most users live in China");
        let weekend = count(&|at| matches!(at.weekday(), Weekday::Sat | Weekday::Sun));
        assert!((0.1..0.22).contains(&(weekend as f64 / 50_000.0)), "{weekend}");
        let (first, last) = (
            count(&|at| *at < times.from() + TimeDelta::days(30)),
            count(&|at| *at > until - TimeDelta::days(30)),
        );
        assert!(last > 2 * first, "{first} {last}");
    }
}
