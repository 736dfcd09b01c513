//! How much something changed between two samples, with a 95 % confidence interval.
//!
//! All that is kept of requests is how many took about how long, so intervals are made from that:
//! - **Means** are compared by the logarithm of their ratio, whose standard error the delta method gives.
//! - **Quantiles** have an interval each, between two order statistics whose ranks the binomial distribution gives; two
//!   such intervals become one of the ratio by MOVER (Zou, Donner 2008), on logarithms. As a sketch knows a value within
//!   one percent, the interval is that much wider on either side: a change below two percent is never claimed.
//! - **Shares** (errors) have Wilson's interval each, and the difference Newcombe's (1998), which is MOVER again.
//!
//! Samples are taken to be independent. Requests of one burst are not quite; what is barely evident may be chance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::stats::Sketch;

/// Requests, or calls, that either version has to have before anything is said of which is faster.
pub(crate) const MIN_SAMPLES: i64 = 50;
/// What a standard normal value exceeds, on either side together, in 5 of 100 cases.
const Z: f64 = 1.959_964;
/// How far a sketch's value may be from what was counted, as a logarithm.
const RESOLUTION: f64 = 0.01;
/// Values that there have to be on either side of a quantile.
const BEYOND: f64 = 5.0;

/// A change, as a share of what was before, or, of shares, the difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// The change: -0.25 is a quarter less.
    pub change: f64,
    /// The lower end of its 95 % confidence interval; null where none can be given.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// Whether the interval leaves out that nothing changed.
    pub is_evident: bool,
}

impl Change {
    fn new(change: f64, low: f64, high: f64) -> Self {
        Self { change, low: Some(low), high: Some(high), is_evident: low > 0.0 || high < 0.0 }
    }

    /// Of logarithms: what they stand for.
    fn of_logs(change: f64, low: f64, high: f64) -> Option<Self> {
        let sound = [change, low, high].iter().all(|value| value.is_finite());
        sound.then(|| Self::new(change.exp_m1(), low.exp_m1(), high.exp_m1()))
    }

    /// One of which nothing but two values is known.
    pub(super) fn plain(before: f64, after: f64) -> Option<Self> {
        let change = after / before - 1.0;
        let plain = Self { change, low: None, high: None, is_evident: false };
        change.is_finite().then_some(plain)
    }
}

/// Which version is faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The mean is evidently higher.
    Slower,
    /// It is evidently lower.
    Faster,
    /// The interval holds both.
    NoEvidence,
    /// There are too few on either side.
    TooLittleTraffic,
}

/// What is known of how long something took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    /// How often.
    pub(crate) count: i64,
    /// Microseconds of all.
    pub(crate) total_us: i64,
    /// How they are spread, in microseconds.
    pub(crate) sketch: Sketch,
}

impl Spread {
    /// The mean, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a mean that people read")]
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total_us as f64 / self.count as f64)
    }

    /// The squared standard error of the logarithm of the mean.
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn log_error(&self) -> Option<f64> {
        let count = self.count as f64;
        let middle = self.sketch.values().map(|(value, times)| value * times as f64).sum::<f64>() / count;
        let squares = self.sketch.values().map(|(value, times)| (value - middle).powi(2) * times as f64);
        let variance = squares.sum::<f64>() / (count - 1.0);
        let error = variance / (count * middle * middle);
        error.is_finite().then_some(error)
    }

    /// The logarithm of a quantile, and the ends of its interval.
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn log_quantile(&self, share: f64) -> Option<[f64; 3]> {
        let count = self.sketch.len() as f64;
        if count * share < BEYOND || count * (1.0 - share) < BEYOND {
            return None;
        }
        let rank = |rank: f64| self.sketch.quantile((rank / (count - 1.0)).clamp(0.0, 1.0));
        let (middle, around) = (count * share, Z * (count * share * (1.0 - share)).sqrt());
        let value = self.sketch.quantile(share)?.ln();
        let low = rank((middle - around).floor() - 1.0)?.ln() - RESOLUTION;
        let high = rank((middle + around).ceil())?.ln() + RESOLUTION;
        Some([value, low.min(value), high.max(value)])
    }
}

/// How much longer it takes on average, once both have enough samples.
pub(crate) fn mean(before: &Spread, after: &Spread) -> Option<Change> {
    let (old, new) = (before.mean()?, after.mean()?);
    if before.count.min(after.count) < MIN_SAMPLES {
        return Change::plain(old, new);
    }
    let change = (new / old).ln();
    let around = Z * (before.log_error()? + after.log_error()?).sqrt();
    Change::of_logs(change, change - around, change + around)
}

/// How much higher a quantile is.
pub(super) fn quantile(before: &Spread, after: &Spread, share: f64) -> Option<Change> {
    match (before.log_quantile(share), after.log_quantile(share)) {
        (Some(old), Some(new)) => {
            let (change, low, high) = mover(old, new);
            Change::of_logs(change, low, high)
        }
        _ => Change::plain(before.sketch.quantile(share)?, after.sketch.quantile(share)?),
    }
}

/// How much higher a share is: so many of so many.
pub(super) fn share(before: (i64, i64), after: (i64, i64)) -> Option<Change> {
    let (change, low, high) = mover(wilson(before)?, wilson(after)?);
    Some(Change::new(change, low, high))
}

/// The difference of two values that have an interval each.
fn mover([old, old_low, old_high]: [f64; 3], [new, new_low, new_high]: [f64; 3]) -> (f64, f64, f64) {
    let change = new - old;
    let below = ((new - new_low).powi(2) + (old_high - old).powi(2)).sqrt();
    let above = ((new_high - new).powi(2) + (old - old_low).powi(2)).sqrt();
    (change, change - below, change + above)
}

/// A share and the ends of Wilson's interval.
#[expect(clippy::cast_precision_loss, reason = "counts")]
fn wilson((hits, count): (i64, i64)) -> Option<[f64; 3]> {
    if count <= 0 {
        return None;
    }
    let (count, share) = (count as f64, hits as f64 / count as f64);
    let whole = 1.0 + Z * Z / count;
    let middle = (share + Z * Z / (2.0 * count)) / whole;
    let around = Z / whole * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    Some([share, (middle - around).max(0.0), (middle + around).min(1.0)])
}

/// Which version is faster, by the mean.
pub(super) fn verdict(before: &Spread, after: &Spread) -> Verdict {
    if before.count.min(after.count) < MIN_SAMPLES {
        return Verdict::TooLittleTraffic;
    }
    match mean(before, after) {
        Some(change) if change.is_evident && change.change > 0.0 => Verdict::Slower,
        Some(change) if change.is_evident => Verdict::Faster,
        _ => Verdict::NoEvidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between 0 and 1 from a seed (splitmix64).
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        }

        fn normal(&mut self) -> f64 {
            (-2.0 * self.next().ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
        }
    }

    type Draw = fn(&mut Random) -> f64;

    /// Times as applications have them, in microseconds.
    const SHAPES: [(&str, Draw); 4] = [
        ("log-normal, narrow", |random| 20_000.0 * (0.4 * random.normal()).exp()),
        ("log-normal, wide", |random| 20_000.0 * (0.9 * random.normal()).exp()),
        ("exponential", |random| 20_000.0 * -random.next().ln()),
        ("cache hit or miss", |random| {
            let typical = if random.next() < 0.8 { 2_000.0 } else { 60_000.0 };
            typical * (0.3 * random.normal()).exp()
        }),
    ];

    fn sample(random: &mut Random, draw: Draw, count: i64, times: f64) -> Spread {
        let mut spread = Spread { count, ..Spread::default() };
        for _ in 0..count {
            let micros = (draw(random) * times).round() as u64;
            spread.total_us += micros.cast_signed();
            spread.sketch.add(micros);
        }
        spread
    }

    /// How often, of 100 comparisons, something is so.
    fn of_hundred(seed: u64, mut is_so: impl FnMut(&mut Random) -> bool) -> f64 {
        let mut random = Random(seed);
        let rounds = 1500;
        100.0 * (0..rounds).filter(|_| is_so(&mut random)).count() as f64 / f64::from(rounds)
    }

    fn holds(change: Option<Change>, truth: f64) -> bool {
        let change = change.expect("enough samples");
        change.low.expect("an interval") <= truth && truth <= change.high.expect("an interval")
    }

    #[test]
    fn the_interval_of_the_mean_holds_the_truth_in_about_95_of_100_cases() {
        for (name, draw) in SHAPES {
            // wide shapes need more than the least to come to it
            for (count, least) in [(50, 90.5), (400, 93.0)] {
                let held = of_hundred(1, |random| {
                    let (old, new) = (sample(random, draw, count, 1.0), sample(random, draw, count, 0.8));
                    holds(mean(&old, &new), -0.2)
                });
                assert!((least..=97.5).contains(&held), "{name}, {count}: {held}");
            }
        }
    }

    #[test]
    fn the_interval_of_a_quantile_holds_the_truth_in_at_least_93_of_100_cases() {
        for (name, draw) in SHAPES {
            for (share, count) in [(0.5, 50), (0.5, 400), (0.95, 100), (0.95, 800)] {
                let held = of_hundred(2, |random| {
                    let (old, new) = (sample(random, draw, count, 1.0), sample(random, draw, count, 1.25));
                    holds(quantile(&old, &new, share), 0.25)
                });
                assert!(held >= 93.0, "{name}, {share} of {count}: {held}");
            }
        }
    }

    #[test]
    fn the_interval_of_errors_holds_the_truth_in_about_95_of_100_cases() {
        for (old, new, count) in [(0.02, 0.02, 100), (0.01, 0.05, 200), (0.2, 0.3, 1000)] {
            let held = of_hundred(3, |random| {
                let mut errors = |rate: f64| (0..count).filter(|_| random.next() < rate).count() as i64;
                let (before, after) = ((errors(old), count), (errors(new), count));
                holds(share(before, after), new - old)
            });
            assert!((93.0..=99.5).contains(&held), "{old} to {new} of {count}: {held}");
        }
    }

    #[test]
    fn where_nothing_changed_a_verdict_is_given_in_about_5_of_100_cases() {
        for (name, draw) in SHAPES {
            let mut slower = 0.0;
            let wrong = of_hundred(4, |random| {
                let (old, new) = (sample(random, draw, 200, 1.0), sample(random, draw, 200, 1.0));
                let verdict = verdict(&old, &new);
                slower += f64::from(u8::from(verdict == Verdict::Slower));
                verdict != Verdict::NoEvidence
            });
            assert!((2.5..=7.5).contains(&wrong), "{name}: {wrong}");
            let slower = slower / 15.0;
            assert!(slower <= 5.0, "{name}: called slower in {slower}");
        }
    }

    #[test]
    fn a_real_change_is_seen_and_its_direction_never_mistaken() {
        for (name, draw) in SHAPES {
            let mut mistaken = 0;
            let seen = of_hundred(5, |random| {
                let (old, new) = (sample(random, draw, 400, 1.0), sample(random, draw, 400, 0.6));
                let verdict = verdict(&old, &new);
                mistaken += u32::from(verdict == Verdict::Slower);
                verdict == Verdict::Faster
            });
            assert!(seen >= 95.0 && mistaken == 0, "{name}: seen in {seen}, mistaken {mistaken} times");
        }
    }

    #[test]
    fn too_few_say_nothing() {
        let draw = SHAPES[0].1;
        let mut random = Random(6);
        let (few, many) = (sample(&mut random, draw, 49, 1.0), sample(&mut random, draw, 500, 9.0));
        assert_eq!(verdict(&few, &many), Verdict::TooLittleTraffic);
        let change = mean(&few, &many).expect("two means");
        assert!(change.low.is_none() && !change.is_evident && change.change > 5.0);
        assert!(quantile(&many, &many, 0.995).expect("two values").low.is_none());
        assert_eq!(mean(&Spread::default(), &many), None);
        assert_eq!(share((0, 0), (1, 9)), None);
    }

    #[test]
    fn what_takes_no_time_at_all_is_not_compared() {
        let mut none = Spread { count: 100, ..Spread::default() };
        none.sketch.count(0, 100);
        assert_eq!(mean(&none, &none), None);
        assert_eq!(verdict(&none, &none), Verdict::NoEvidence);
    }
}
