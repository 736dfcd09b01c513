//! Quantiles of histograms.

use crate::otlp::wire::{Buckets, ExponentialHistogramDataPoint};

/// The number of values in an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) count: u64,
}

/// The buckets of an explicit-bounds histogram. The first and last are unbounded on one side: there the minimum and
/// maximum are used if present, otherwise the other bound of the bucket.
pub(super) fn explicit(bounds: &[f64], counts: &[u64], range: (Option<f64>, Option<f64>)) -> Vec<Bucket> {
    let bucket = |(index, count): (usize, &u64)| {
        let below = index.checked_sub(1).map(|index| bounds[index]);
        let above = bounds.get(index).copied();
        let from = below.or(range.0).or(above.map(|above| above.min(0.0)))?;
        let to = above.or(range.1).unwrap_or(from);
        (*count > 0).then_some(Bucket { from, to: to.max(from), count: *count })
    };
    counts.iter().enumerate().filter_map(bucket).collect()
}

/// The buckets of an exponential histogram: bucket i is (b^i, b^(i+1)], with b = 2^(2^-scale).
pub(super) fn exponential(point: &ExponentialHistogramDataPoint) -> Vec<Bucket> {
    let growth = 2_f64.powf((-f64::from(point.scale)).exp2());
    let side = |buckets: &Option<Buckets>, sign: f64| {
        let buckets = buckets.clone().unwrap_or_default();
        let bucket = move |(index, count): (usize, u64)| {
            let exponent = f64::from(buckets.offset) + f64::from(u32::try_from(index).unwrap_or(u32::MAX));
            let (near, far) = (sign * growth.powf(exponent), sign * growth.powf(exponent + 1.0));
            (count > 0).then_some(Bucket { from: near.min(far), to: near.max(far), count })
        };
        buckets.bucket_counts.into_iter().enumerate().filter_map(bucket).collect::<Vec<_>>()
    };
    let mut all = side(&point.negative, -1.0);
    all.reverse();
    all.extend((point.zero_count > 0).then_some(Bucket { from: 0.0, to: 0.0, count: point.zero_count }));
    all.extend(side(&point.positive, 1.0));
    all
}

/// The quantile, with linear interpolation within its bucket; none without values.
#[expect(clippy::cast_precision_loss, reason = "counts")]
pub(super) fn quantile(buckets: &[Bucket], quantile_rank: f64) -> Option<f64> {
    let total: f64 = buckets.iter().map(|bucket| bucket.count as f64).sum();
    let (rank, mut before) = (quantile_rank * total, 0.0);
    for bucket in buckets {
        let count = bucket.count as f64;
        if before + count >= rank {
            return Some(bucket.from + (bucket.to - bucket.from) * ((rank - before) / count).clamp(0.0, 1.0));
        }
        before += count;
    }
    buckets.last().map(|bucket| bucket.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_within_their_bucket() {
        let buckets = explicit(&[1.0, 2.0, 5.0], &[10, 80, 10, 0], (None, None));
        assert_eq!(quantile(&buckets, 0.5), Some(1.5));
        assert_eq!(quantile(&buckets, 0.05), Some(0.5));
        assert_eq!(quantile(&buckets, 0.95), Some(3.5));
        assert_eq!(quantile(&buckets, 1.0), Some(5.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn unbounded_buckets_end_at_the_minimum_and_maximum() {
        let all = explicit(&[10.0], &[1, 1], (Some(4.0), Some(30.0)));
        assert_eq!((all[0].from, all[1].to), (4.0, 30.0));
        let all = explicit(&[10.0], &[1, 1], (None, None));
        assert_eq!((all[0].from, all[1].to), (0.0, 10.0));
        assert!(explicit(&[], &[3], (None, None)).is_empty(), "nothing is known of where they lie");
    }

    #[test]
    fn exponential_buckets_are_ordered_by_value() {
        let side = |offset, bucket_counts| Some(Buckets { offset, bucket_counts });
        let point = ExponentialHistogramDataPoint {
            scale: 0,
            zero_count: 1,
            positive: side(1, vec![1, 0, 2]),
            negative: side(0, vec![1, 1]),
            ..ExponentialHistogramDataPoint::default()
        };
        let bounds: Vec<(f64, f64)> = exponential(&point).iter().map(|all| (all.from, all.to)).collect();
        assert_eq!(bounds, [(-4.0, -2.0), (-2.0, -1.0), (0.0, 0.0), (2.0, 4.0), (8.0, 16.0)]);
    }

    #[test]
    fn every_scale_is_handled() {
        for scale in [i32::MIN, i32::MIN + 1, -11, 0, 20, i32::MAX] {
            for offset in [i32::MIN, 0, i32::MAX] {
                let side = Some(Buckets { offset, bucket_counts: vec![1, 1] });
                let point = ExponentialHistogramDataPoint {
                    scale,
                    positive: side,
                    ..ExponentialHistogramDataPoint::default()
                };
                assert_eq!(exponential(&point).len(), 2, "scale {scale}, offset {offset}");
            }
        }
    }
}
