//! How values are spread: quantiles within one percent, of any number of values in little room, that can be added up and
//! taken away again.
//!
//! It is a DDSketch (Masson, Rim, Lee 2019): values are counted in stretches each a little longer than the one before, so
//! that a value is known within a fixed share of itself. Counts are signed, as a trace that grows takes its earlier values
//! away and adds its new ones; published implementations only add.

use std::collections::BTreeMap;

/// Each stretch ends this much above where it begins: the middle of it is within one percent of all in it.
const GROWTH: f64 = 1.01 / 0.99;

/// Values, by how often they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    zeros: i64,
    counts: BTreeMap<i32, i64>,
}

impl Sketch {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        self.count(value, 1);
    }

    /// Counts a value so many times; takes it away for a negative number.
    pub fn count(&mut self, value: u64, times: i64) {
        if value == 0 {
            self.zeros += times;
        } else {
            self.change(stretch(value), times);
        }
    }

    /// Adds another's values so many times; takes them away for a negative number.
    pub fn merge(&mut self, other: &Self, times: i64) {
        self.zeros += other.zeros * times;
        for (stretch, count) in &other.counts {
            self.change(*stretch, count * times);
        }
    }

    fn change(&mut self, stretch: i32, by: i64) {
        let count = self.counts.entry(stretch).or_default();
        *count += by;
        if *count == 0 {
            self.counts.remove(&stretch);
        }
    }

    /// How many values there are.
    pub fn len(&self) -> i64 {
        self.zeros + self.counts.values().sum::<i64>()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.zeros == 0 && self.counts.is_empty()
    }

    /// The value that this share of the values does not exceed, within one percent; none without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let total = self.len();
        if total <= 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a rank within the count"
        )]
        let rank = (share.clamp(0.0, 1.0) * (total - 1) as f64).round() as i64;
        let mut before = self.zeros;
        if rank < before {
            return Some(0.0);
        }
        for (stretch, count) in &self.counts {
            before += count;
            if rank < before {
                return Some(middle(*stretch));
            }
        }
        self.counts.last_key_value().map(|(stretch, _)| middle(*stretch))
    }

    /// The values, each with how often it came, the least first.
    pub fn values(&self) -> impl Iterator<Item = (f64, i64)> {
        let zeros = (self.zeros != 0).then_some((0.0, self.zeros));
        zeros.into_iter().chain(self.counts.iter().map(|(stretch, count)| (middle(*stretch), *count)))
    }

    /// As it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 3 * self.counts.len());
        put(&mut bytes, self.zeros);
        let mut last = 0;
        for (stretch, count) in &self.counts {
            put(&mut bytes, i64::from(*stretch) - last);
            put(&mut bytes, *count);
            last = i64::from(*stretch);
        }
        bytes
    }

    /// What was kept; none where that is no sketch.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut sketch = Self { zeros: take(&mut bytes)?, ..Self::default() };
        let mut last = 0_i64;
        while !bytes.is_empty() {
            last = last.checked_add(take(&mut bytes)?)?;
            let count = take(&mut bytes)?;
            sketch.counts.insert(i32::try_from(last).ok()?, count);
        }
        Some(sketch)
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "within one percent")]
fn stretch(value: u64) -> i32 {
    ((value as f64).ln() / GROWTH.ln()).ceil() as i32
}

fn middle(stretch: i32) -> f64 {
    2.0 * GROWTH.powi(stretch) / (1.0 + GROWTH)
}

/// A number in few bytes: zigzag, then seven bits a byte.
fn put(bytes: &mut Vec<u8>, number: i64) {
    let mut left = (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned();
    while left >= 0x80 {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let (&first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first < 0x80 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Sketch {
        let mut sketch = Sketch::default();
        values.into_iter().for_each(|value| sketch.add(value));
        sketch
    }

    #[test]
    fn a_quantile_is_within_a_percent() {
        let mut random = 7_u64;
        let mut values: Vec<u64> = (0..10_000)
            .map(|_| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                1 + (random >> 33) % 5_000_000
            })
            .collect();
        let sketch = of(values.iter().copied());
        values.sort_unstable();
        for (share, place) in [(0.5, 5_000), (0.9, 8_999), (0.99, 9_899), (0.0, 0), (1.0, 9_999)] {
            let found = sketch.quantile(share).expect("values");
            let exact = values[place] as f64;
            assert!((found - exact).abs() <= 0.0101 * exact, "{share}: {found} of {exact}");
        }
    }

    #[test]
    fn what_is_added_can_be_taken_away() {
        let (some, more) = (of([0, 3, 500, 70_000]), of([3, 9, 0]));
        let mut sum = some.clone();
        sum.merge(&more, 1);
        assert_eq!(sum.len(), 7);
        sum.merge(&more, -1);
        assert_eq!(sum, some);
        sum.merge(&some, -1);
        assert!(sum.is_empty());
        assert_eq!(sum.quantile(0.5), None);
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        for sketch in [Sketch::default(), of([0]), of([1, 2, 3, u64::MAX, 1 << 40])] {
            assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Some(sketch));
        }
        assert_eq!(Sketch::from_bytes(&[]), None);
        assert_eq!(Sketch::from_bytes(&[0x80]), None);
        assert_eq!(Sketch::from_bytes(&[0xff; 12]), None);
    }
}
