//! The change between two samples, with a 95 % confidence interval.
//!
//! Only the distribution of durations is stored, so the intervals are computed from that:
//! - **Means** are compared by the logarithm of their ratio; its standard error follows from the delta method.
//! - **Quantiles** have an interval each, between two order statistics whose ranks follow from the binomial distribution;
//!   MOVER (Zou, Donner 2008) combines two such intervals into one of the ratio, on logarithms. A sketch is exact to one
//!   percent, so the interval is widened by that on either side: a change below two percent is never evident.
//! - **Shares** (errors) have Wilson's interval each, and the difference has Newcombe's (1998), which is MOVER again.
//!
//! Samples are assumed to be independent. Requests of one burst are not fully independent, so a barely evident change may
//! be chance.

use loam_platform::sketch::Sketch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Minimum number of requests or calls in each version for a verdict.
pub(crate) const MIN_SAMPLES: i64 = 50;
/// Two-sided 95 % quantile of the standard normal distribution.
const Z: f64 = 1.959_964;
/// Relative error of a sketch's value, as a logarithm.
const RESOLUTION: f64 = 0.01;
/// Minimum number of values on each side of a quantile.
const MIN_TAIL: f64 = 5.0;

/// A change: relative to the previous value, or, for shares, the difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// The change; -0.25 means 25 % less.
    pub change: f64,
    /// Lower bound of the 95 % confidence interval; null if there is too little data.
    pub low: Option<f64>,
    /// Upper bound of the 95 % confidence interval.
    pub high: Option<f64>,
    /// Whether the interval excludes zero.
    pub is_evident: bool,
}

impl Change {
    fn new(change: f64, low: f64, high: f64) -> Self {
        Self { change, low: Some(low), high: Some(high), is_evident: low > 0.0 || high < 0.0 }
    }

    /// Converts a change and bounds from logarithms of ratios.
    fn from_logs(change: f64, low: f64, high: f64) -> Option<Self> {
        let is_finite = [change, low, high].iter().all(|value| value.is_finite());
        is_finite.then(|| Self::new(change.exp_m1(), low.exp_m1(), high.exp_m1()))
    }

    /// A change between two values, without an interval.
    pub(super) fn without_interval(before: f64, after: f64) -> Option<Self> {
        let change = after / before - 1.0;
        let result = Self { change, low: None, high: None, is_evident: false };
        change.is_finite().then_some(result)
    }
}

/// Which version is faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The mean is evidently higher.
    Slower,
    /// The mean is evidently lower.
    Faster,
    /// The confidence interval contains zero.
    NoEvidence,
    /// At least one version has too few samples.
    TooLittleTraffic,
}

/// The distribution of durations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distribution {
    /// Number of values.
    pub(crate) count: i64,
    /// Sum, in microseconds.
    pub(crate) total_us: i64,
    /// Quantile sketch, in microseconds.
    pub(crate) sketch: Sketch,
}

impl Distribution {
    /// The number of samples that are missing for a verdict.
    pub(super) fn missing(&self) -> i64 {
        (MIN_SAMPLES - self.count).max(0)
    }

    /// The mean, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a mean for display")]
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total_us as f64 / self.count as f64)
    }

    /// The squared standard error of the logarithm of the mean.
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn log_error(&self) -> Option<f64> {
        let count = self.count as f64;
        let mean = self.sketch.values().map(|(value, times)| value * times as f64).sum::<f64>() / count;
        let squares = self.sketch.values().map(|(value, times)| (value - mean).powi(2) * times as f64);
        let variance = squares.sum::<f64>() / (count - 1.0);
        let error = variance / (count * mean * mean);
        error.is_finite().then_some(error)
    }

    /// The logarithm of a quantile, and the bounds of its interval.
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn log_quantile(&self, share: f64) -> Option<[f64; 3]> {
        let count = self.sketch.len() as f64;
        if count * share < MIN_TAIL || count * (1.0 - share) < MIN_TAIL {
            return None;
        }
        let rank = |rank: f64| self.sketch.quantile((rank / (count - 1.0)).clamp(0.0, 1.0));
        let (center, half_width) = (count * share, Z * (count * share * (1.0 - share)).sqrt());
        let value = self.sketch.quantile(share)?.ln();
        let low = rank((center - half_width).floor() - 1.0)?.ln() - RESOLUTION;
        let high = rank((center + half_width).ceil())?.ln() + RESOLUTION;
        Some([value, low.min(value), high.max(value)])
    }
}

/// Relative change of the mean; without an interval if either side has too few samples.
pub(crate) fn mean(before: &Distribution, after: &Distribution) -> Option<Change> {
    let (old, new) = (before.mean()?, after.mean()?);
    if before.count.min(after.count) < MIN_SAMPLES {
        return Change::without_interval(old, new);
    }
    let change = (new / old).ln();
    let half_width = Z * (before.log_error()? + after.log_error()?).sqrt();
    Change::from_logs(change, change - half_width, change + half_width)
}

/// Relative change of a quantile.
pub(super) fn quantile(before: &Distribution, after: &Distribution, share: f64) -> Option<Change> {
    match (before.log_quantile(share), after.log_quantile(share)) {
        (Some(old), Some(new)) => {
            let (change, low, high) = mover(old, new);
            Change::from_logs(change, low, high)
        }
        _ => Change::without_interval(before.sketch.quantile(share)?, after.sketch.quantile(share)?),
    }
}

/// Difference of two shares, each given as hits and count.
pub(super) fn share(before: (i64, i64), after: (i64, i64)) -> Option<Change> {
    let (change, low, high) = mover(wilson(before)?, wilson(after)?);
    Some(Change::new(change, low, high))
}

/// The difference of two values with an interval each, by MOVER.
fn mover([old, old_low, old_high]: [f64; 3], [new, new_low, new_high]: [f64; 3]) -> (f64, f64, f64) {
    let change = new - old;
    let below = ((new - new_low).powi(2) + (old_high - old).powi(2)).sqrt();
    let above = ((new_high - new).powi(2) + (old - old_low).powi(2)).sqrt();
    (change, change - below, change + above)
}

/// A share and the bounds of Wilson's interval.
#[expect(clippy::cast_precision_loss, reason = "counts")]
fn wilson((hits, count): (i64, i64)) -> Option<[f64; 3]> {
    if count <= 0 {
        return None;
    }
    let (count, share) = (count as f64, hits as f64 / count as f64);
    let denominator = 1.0 + Z * Z / count;
    let center = (share + Z * Z / (2.0 * count)) / denominator;
    let half_width = Z / denominator * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    Some([share, (center - half_width).max(0.0), (center + half_width).min(1.0)])
}

/// Which version is faster, judged by the mean.
pub(super) fn verdict(before: &Distribution, after: &Distribution) -> Verdict {
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

    /// Typical distributions of durations, in microseconds.
    const SHAPES: [(&str, Draw); 4] = [
        ("log-normal, narrow", |random| 20_000.0 * (0.4 * random.normal()).exp()),
        ("log-normal, wide", |random| 20_000.0 * (0.9 * random.normal()).exp()),
        ("exponential", |random| 20_000.0 * -random.next().ln()),
        ("cache hit or miss", |random| {
            let typical = if random.next() < 0.8 { 2_000.0 } else { 60_000.0 };
            typical * (0.3 * random.normal()).exp()
        }),
    ];

    fn sample(random: &mut Random, draw: Draw, count: i64, times: f64) -> Distribution {
        let mut distribution = Distribution { count, ..Distribution::default() };
        for _ in 0..count {
            let micros = (draw(random) * times).round() as u64;
            distribution.total_us += micros.cast_signed();
            distribution.sketch.add(micros);
        }
        distribution
    }

    /// Percentage of simulated comparisons for which `is_true` holds.
    fn percentage(seed: u64, mut is_true: impl FnMut(&mut Random) -> bool) -> f64 {
        let mut random = Random(seed);
        let rounds = 1500;
        100.0 * (0..rounds).filter(|_| is_true(&mut random)).count() as f64 / f64::from(rounds)
    }

    fn contains(change: Option<Change>, truth: f64) -> bool {
        let change = change.expect("enough samples");
        change.low.expect("an interval") <= truth && truth <= change.high.expect("an interval")
    }

    #[test]
    fn the_interval_of_the_mean_covers_about_95_percent() {
        for (name, draw) in SHAPES {
            // wide distributions need more than the minimum to reach the nominal coverage
            for (count, min_coverage) in [(50, 90.5), (400, 93.0)] {
                let coverage = percentage(1, |random| {
                    let (old, new) = (sample(random, draw, count, 1.0), sample(random, draw, count, 0.8));
                    contains(mean(&old, &new), -0.2)
                });
                assert!((min_coverage..=97.5).contains(&coverage), "{name}, {count}: {coverage}");
            }
        }
    }

    #[test]
    fn the_interval_of_a_quantile_covers_at_least_93_percent() {
        for (name, draw) in SHAPES {
            for (share, count) in [(0.5, 50), (0.5, 400), (0.95, 100), (0.95, 800)] {
                let coverage = percentage(2, |random| {
                    let (old, new) = (sample(random, draw, count, 1.0), sample(random, draw, count, 1.25));
                    contains(quantile(&old, &new, share), 0.25)
                });
                assert!(coverage >= 93.0, "{name}, {share} of {count}: {coverage}");
            }
        }
    }

    #[test]
    fn the_interval_of_the_error_rate_covers_about_95_percent() {
        for (old, new, count) in [(0.02, 0.02, 100), (0.01, 0.05, 200), (0.2, 0.3, 1000)] {
            let coverage = percentage(3, |random| {
                let mut errors = |rate: f64| (0..count).filter(|_| random.next() < rate).count() as i64;
                let (before, after) = ((errors(old), count), (errors(new), count));
                contains(share(before, after), new - old)
            });
            assert!((93.0..=99.5).contains(&coverage), "{old} to {new} of {count}: {coverage}");
        }
    }

    #[test]
    fn without_a_change_there_is_a_verdict_in_about_5_percent() {
        for (name, draw) in SHAPES {
            let mut slower = 0.0;
            let false_verdicts = percentage(4, |random| {
                let (old, new) = (sample(random, draw, 200, 1.0), sample(random, draw, 200, 1.0));
                let verdict = verdict(&old, &new);
                slower += f64::from(u8::from(verdict == Verdict::Slower));
                verdict != Verdict::NoEvidence
            });
            assert!((2.5..=7.5).contains(&false_verdicts), "{name}: {false_verdicts}");
            let slower = slower / 15.0;
            assert!(slower <= 5.0, "{name}: false `slower` verdicts: {slower} %");
        }
    }

    #[test]
    fn a_real_change_is_detected_with_the_right_direction() {
        for (name, draw) in SHAPES {
            let mut wrong_direction = 0;
            let detected = percentage(5, |random| {
                let (old, new) = (sample(random, draw, 400, 1.0), sample(random, draw, 400, 0.6));
                let verdict = verdict(&old, &new);
                wrong_direction += u32::from(verdict == Verdict::Slower);
                verdict == Verdict::Faster
            });
            assert!(
                detected >= 95.0 && wrong_direction == 0,
                "{name}: detected in {detected} %, wrong direction {wrong_direction} times"
            );
        }
    }

    #[test]
    fn too_few_samples_give_no_verdict() {
        let draw = SHAPES[0].1;
        let mut random = Random(6);
        let (few, many) = (sample(&mut random, draw, 49, 1.0), sample(&mut random, draw, 500, 9.0));
        assert_eq!(verdict(&few, &many), Verdict::TooLittleTraffic);
        let change = mean(&few, &many).expect("two means");
        assert!(change.low.is_none() && !change.is_evident && change.change > 5.0);
        assert!(quantile(&many, &many, 0.995).expect("two values").low.is_none());
        assert_eq!(mean(&Distribution::default(), &many), None);
        assert_eq!(share((0, 0), (1, 9)), None);
    }

    #[test]
    fn zero_durations_are_not_compared() {
        let mut zeros = Distribution { count: 100, ..Distribution::default() };
        zeros.sketch.count(0, 100);
        assert_eq!(mean(&zeros, &zeros), None);
        assert_eq!(verdict(&zeros, &zeros), Verdict::NoEvidence);
    }
}
