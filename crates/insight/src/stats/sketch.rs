//! A quantile sketch: quantiles within one percent of any number of values, in little memory. Sketches can be added and
//! subtracted.
//!
//! It is a DDSketch (Masson, Rim, Lee 2019): values are counted in buckets of exponentially growing width, which bounds
//! the relative error. Counts are signed: when a trace grows, its earlier values are subtracted and its new ones added.
//! Published implementations only add.

use std::collections::BTreeMap;

/// Ratio of a bucket's upper to its lower bound: the midpoint is within one percent of every value in it.
const GROWTH: f64 = 1.01 / 0.99;

/// Counts of values by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    zeros: i64,
    counts: BTreeMap<i32, i64>,
}

impl Sketch {
    /// Adds a value.
    pub fn add(&mut self, value: u64) {
        self.count(value, 1);
    }

    /// Adds a value `times` times; subtracts it if `times` is negative.
    pub fn count(&mut self, value: u64, times: i64) {
        if value == 0 {
            self.zeros += times;
        } else {
            self.change(bucket_of(value), times);
        }
    }

    /// Adds the values of `other` `times` times; subtracts them if `times` is negative.
    pub fn merge(&mut self, other: &Self, times: i64) {
        self.zeros += other.zeros * times;
        for (bucket, count) in &other.counts {
            self.change(*bucket, count * times);
        }
    }

    fn change(&mut self, bucket: i32, by: i64) {
        let count = self.counts.entry(bucket).or_default();
        *count += by;
        if *count == 0 {
            self.counts.remove(&bucket);
        }
    }

    /// The number of values.
    pub fn len(&self) -> i64 {
        self.zeros + self.counts.values().sum::<i64>()
    }

    /// Whether all counts are zero.
    pub fn is_empty(&self) -> bool {
        self.zeros == 0 && self.counts.is_empty()
    }

    /// The quantile at `share` (0 to 1), within one percent; `None` without values.
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
        for (bucket, count) in &self.counts {
            before += count;
            if rank < before {
                return Some(midpoint(*bucket));
            }
        }
        self.counts.last_key_value().map(|(bucket, _)| midpoint(*bucket))
    }

    /// The buckets in ascending order: midpoint and count.
    pub fn values(&self) -> impl Iterator<Item = (f64, i64)> {
        let zeros = (self.zeros != 0).then_some((0.0, self.zeros));
        zeros.into_iter().chain(self.counts.iter().map(|(bucket, count)| (midpoint(*bucket), *count)))
    }

    /// The stored encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 3 * self.counts.len());
        write_varint(&mut bytes, self.zeros);
        let mut last = 0;
        for (bucket, count) in &self.counts {
            write_varint(&mut bytes, i64::from(*bucket) - last);
            write_varint(&mut bytes, *count);
            last = i64::from(*bucket);
        }
        bytes
    }

    /// Decodes [`Sketch::to_bytes`]; `None` if the bytes are invalid.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut sketch = Self { zeros: read_varint(&mut bytes)?, ..Self::default() };
        let mut last = 0_i64;
        while !bytes.is_empty() {
            last = last.checked_add(read_varint(&mut bytes)?)?;
            let count = read_varint(&mut bytes)?;
            sketch.counts.insert(i32::try_from(last).ok()?, count);
        }
        Some(sketch)
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "within one percent")]
fn bucket_of(value: u64) -> i32 {
    ((value as f64).ln() / GROWTH.ln()).ceil() as i32
}

fn midpoint(bucket: i32) -> f64 {
    2.0 * GROWTH.powi(bucket) / (1.0 + GROWTH)
}

/// Writes a zigzag varint: seven bits per byte, least significant first.
fn write_varint(bytes: &mut Vec<u8>, number: i64) {
    let mut rest = (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<i64> {
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

    fn sketch_of(values: impl IntoIterator<Item = u64>) -> Sketch {
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
        let sketch = sketch_of(values.iter().copied());
        values.sort_unstable();
        for (share, index) in [(0.5, 5_000), (0.9, 8_999), (0.99, 9_899), (0.0, 0), (1.0, 9_999)] {
            let found = sketch.quantile(share).expect("values");
            let exact = values[index] as f64;
            assert!((found - exact).abs() <= 0.0101 * exact, "{share}: {found} of {exact}");
        }
    }

    #[test]
    fn added_values_can_be_subtracted() {
        let (some, more) = (sketch_of([0, 3, 500, 70_000]), sketch_of([3, 9, 0]));
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
    fn encoding_round_trips() {
        for sketch in [Sketch::default(), sketch_of([0]), sketch_of([1, 2, 3, u64::MAX, 1 << 40])] {
            assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Some(sketch));
        }
        assert_eq!(Sketch::from_bytes(&[]), None);
        assert_eq!(Sketch::from_bytes(&[0x80]), None);
        assert_eq!(Sketch::from_bytes(&[0xff; 12]), None);
    }
}
