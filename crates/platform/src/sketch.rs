//! A quantile sketch: quantiles within one percent of any number of values, in little memory. Sketches can be added and
//! subtracted.
//!
//! It is a DDSketch (Masson, Rim, Lee 2019): values are counted in buckets of exponentially growing width, which bounds
//! the relative error. Counts are signed: when a trace grows, its earlier values are subtracted and its new ones added.
//! Published implementations only add.

use std::collections::BTreeMap;

use loam_kernel::Result;

use crate::stored_format::StoredFormat;
use crate::varint::{Reader, put_zigzag};

/// A sketch in a column. Version 1 began with the number of zeros; since version 2 a version precedes it.
pub const SKETCH: StoredFormat = StoredFormat::new("sketch", 2).first_unversioned();

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

    /// A sketch of zeros and of counts by bucket, as another implementation with the same buckets has them.
    pub fn from_counts(zeros: i64, counts: impl IntoIterator<Item = (i32, i64)>) -> Self {
        let mut sketch = Self { zeros, ..Self::default() };
        counts.into_iter().for_each(|(bucket, count)| sketch.change(bucket, count));
        sketch
    }

    /// The stored form, a [`SKETCH`]: the zeros, then each bucket as the difference to the previous one, with its count.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = SKETCH.begin(8 + 3 * self.counts.len());
        put_zigzag(&mut bytes, self.zeros);
        let mut last = 0;
        for (bucket, count) in &self.counts {
            put_zigzag(&mut bytes, i64::from(*bucket) - last);
            put_zigzag(&mut bytes, *count);
            last = i64::from(*bucket);
        }
        bytes
    }

    /// Decodes [`Sketch::to_bytes`].
    ///
    /// # Errors
    /// When the version is unknown, or the bytes are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (_, body) = SKETCH.open(bytes)?;
        Self::read(Reader(body)).ok_or_else(|| SKETCH.damaged())
    }

    /// The sum of stored sketches.
    ///
    /// # Errors
    /// As of [`Sketch::from_bytes`].
    pub fn sum_of<'a>(stored: impl IntoIterator<Item = &'a [u8]>) -> Result<Self> {
        let mut sum = Self::default();
        for bytes in stored {
            sum.merge(&Self::from_bytes(bytes)?, 1);
        }
        Ok(sum)
    }

    fn read(mut reader: Reader<'_>) -> Option<Self> {
        let mut sketch = Self { zeros: reader.zigzag()?, ..Self::default() };
        let mut last = 0_i64;
        while !reader.0.is_empty() {
            last = last.checked_add(reader.zigzag()?)?;
            sketch.counts.insert(i32::try_from(last).ok()?, reader.zigzag()?);
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

#[cfg(test)]
mod tests {
    use loam_testkit::check_golden;

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
    fn stored_bytes_are_read_back() {
        for sketch in [Sketch::default(), sketch_of([0]), sketch_of([1, 2, 3, u64::MAX, 1 << 40])] {
            assert_eq!(Sketch::from_bytes(&sketch.to_bytes()).expect("read"), sketch);
        }
        for damaged in [&[][..], &[0x80], &[0xff; 12]] {
            assert!(Sketch::from_bytes(damaged).is_err());
        }
        let mut sketch = sketch_of([0, 7, 7, 90_000]);
        sketch.merge(&sketch_of([1 << 40]), -1);
        check_golden(SKETCH.kind(), SKETCH.versions(), &sketch.to_bytes(), |bytes| {
            format!("{:#?}", Sketch::from_bytes(bytes).expect("read"))
        });
    }
}
