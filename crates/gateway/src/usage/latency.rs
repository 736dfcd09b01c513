//! The stored latencies of `usage_stats`: a sketch, in microseconds.

use loam_kernel::Result;
use loam_platform::sketch::Sketch;
use loam_platform::stored_format::StoredFormat;

/// The column `usage_stats.latency`. Version 1 is a `DDSketch` of the crate `sketches-ddsketch` 0.3, serialized by serde.
pub(crate) const LATENCY: StoredFormat = StoredFormat::new("usage_latency", 2).first_unversioned();

/// Version 1: configuration, values above zero, values below zero, minimum, maximum, sum, and the number of zeros.
type DdSketch = (Config, Store, Store, f64, f64, f64, u64);
/// Maximum number of bins, gamma, its logarithm, the least value that isn't zero, an offset.
type Config = (u32, f64, f64, f64, i32);
/// Counts by bucket, their sum, the first and the last bucket, the bucket of the first count, the maximum number of
/// counts, and whether the lowest buckets are merged.
type Store = (Vec<u64>, u64, i32, i32, i32, u64, bool);

/// Encodes a sketch.
pub(crate) fn encode(sketch: &Sketch) -> Vec<u8> {
    let sketch = sketch.to_bytes();
    let mut bytes = LATENCY.begin(sketch.len());
    bytes.extend_from_slice(&sketch);
    bytes
}

/// Decodes a sketch.
pub(crate) fn decode(stored: &[u8]) -> Result<Sketch> {
    match LATENCY.open(stored)? {
        (1, body) => LATENCY.decode(body).map(convert),
        (_, body) => Sketch::from_bytes(body),
    }
}

/// The buckets are the same: those of a relative error of one percent.
fn convert((_, above, _, _, _, _, zeros): DdSketch) -> Sketch {
    let (counts, _, _, _, first, _, _) = above;
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let counts = (first..).zip(counts).filter(|(_, times)| *times > 0);
    Sketch::from_counts(count(zeros), counts.map(|(bucket, times)| (bucket, count(times))))
}

#[cfg(test)]
mod tests {
    use loam_testkit::check_golden;

    use super::*;

    #[test]
    fn all_versions_are_read() {
        let mut sketch = Sketch::default();
        [0, 12, 480_000, 480_000].into_iter().for_each(|latency| sketch.add(latency));
        check_golden(LATENCY.kind(), LATENCY.versions(), &encode(&sketch), |bytes| {
            format!("{:#?}", decode(bytes).expect("read"))
        });
    }
}
