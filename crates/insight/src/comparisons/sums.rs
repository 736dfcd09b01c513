//! What is known of an endpoint or a function in one version.

use crate::stats::{Sketch, endpoints, functions};

use super::interval::Spread;

/// Sums of an endpoint, or of a function, of whose calls then only the own time counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) spread: Spread,
    pub(crate) errors: i64,
    pub(crate) query_count: i64,
    pub(crate) query_us: i64,
    pub(crate) memory_delta: i64,
}

impl Sums {
    pub(super) fn add_endpoint(&mut self, row: &endpoints::Model) {
        self.spread.count += row.requests;
        self.spread.total_us += row.duration_us;
        self.errors += row.errors;
        self.query_count += row.query_count;
        self.query_us += row.query_us;
        self.memory_delta += row.memory_delta;
        self.add_sketch(&row.sketch);
    }

    pub(super) fn add_function(&mut self, row: &functions::Model) {
        self.spread.count += row.calls;
        self.spread.total_us += row.self_us;
        self.errors += row.errors;
        self.query_count += row.query_count;
        self.query_us += row.query_us;
        self.memory_delta += row.memory_delta;
        self.add_sketch(&row.sketch);
    }

    fn add_sketch(&mut self, bytes: &[u8]) {
        if let Some(sketch) = Sketch::from_bytes(bytes) {
            self.spread.sketch.merge(&sketch, 1);
        }
    }

    /// A sum, for each of them.
    #[expect(clippy::cast_precision_loss, reason = "a mean that people read")]
    pub(super) fn each(&self, sum: i64) -> Option<f64> {
        (self.spread.count > 0).then(|| sum as f64 / self.spread.count as f64)
    }
}
