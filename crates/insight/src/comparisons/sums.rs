//! The sums of an endpoint or a function in one version.

use loam_kernel::Result;
use loam_platform::sketch::Sketch;

use crate::stats::{endpoints, functions};

use super::interval::Distribution;

/// Sums of an endpoint, or of a function (by self time).
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) distribution: Distribution,
    pub(crate) errors: i64,
    pub(crate) query_count: i64,
    pub(crate) query_us: i64,
    pub(crate) memory_delta: i64,
}

impl Sums {
    pub(super) fn add_endpoint(&mut self, row: &endpoints::Model) -> Result<()> {
        self.distribution.count += row.requests;
        self.distribution.total_us += row.duration_us;
        self.errors += row.errors;
        self.query_count += row.query_count;
        self.query_us += row.query_us;
        self.memory_delta += row.memory_delta;
        self.add_sketch(&row.sketch)
    }

    pub(super) fn add_function(&mut self, row: &functions::Model) -> Result<()> {
        self.distribution.count += row.calls;
        self.distribution.total_us += row.self_us;
        self.errors += row.errors;
        self.query_count += row.query_count;
        self.query_us += row.query_us;
        self.memory_delta += row.memory_delta;
        self.add_sketch(&row.sketch)
    }

    fn add_sketch(&mut self, bytes: &[u8]) -> Result<()> {
        self.distribution.sketch.merge(&Sketch::from_bytes(bytes)?, 1);
        Ok(())
    }

    /// A sum divided by the number of samples.
    #[expect(clippy::cast_precision_loss, reason = "a mean for display")]
    pub(super) fn per_sample(&self, sum: i64) -> Option<f64> {
        (self.distribution.count > 0).then(|| sum as f64 / self.distribution.count as f64)
    }
}
