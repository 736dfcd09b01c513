//! Sums in memory: to accumulate, to merge, and to read from rows.

use loam_kernel::{Error, Result};
use loam_platform::sketch::Sketch;

use super::{endpoints, functions};

/// Sums over requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointSum {
    pub(crate) requests: i64,
    pub(crate) errors: i64,
    pub(crate) duration_us: i64,
    pub(crate) cpu_us: i64,
    pub(crate) query_count: i64,
    pub(crate) query_us: i64,
    pub(crate) slow_queries: i64,
    pub(crate) cache_hits: i64,
    pub(crate) cache_misses: i64,
    pub(crate) cache_us: i64,
    pub(crate) memory_delta: i64,
    pub(crate) memory_peak: i64,
    pub(crate) calls: i64,
    pub(crate) sketch: Sketch,
}

/// Sums over calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct FunctionSum {
    pub(crate) calls: i64,
    pub(crate) errors: i64,
    pub(crate) self_us: i64,
    pub(crate) total_us: i64,
    pub(crate) query_count: i64,
    pub(crate) query_us: i64,
    pub(crate) memory_delta: i64,
    pub(crate) sketch: Sketch,
}

/// A sum that can be merged with another.
pub(crate) trait Sum: Clone + Default {
    fn merge(&mut self, other: &Self);
    /// Whether adding it changes nothing.
    fn is_zero(&self) -> bool;
}

macro_rules! sum {
    ($type:ty, $table:ident, $($field:ident),*; $($peak:ident)?) => {
        impl Sum for $type {
            fn merge(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
                $(self.$peak = self.$peak.max(other.$peak);)?
                self.sketch.merge(&other.sketch, 1);
            }

            fn is_zero(&self) -> bool {
                $(self.$field == 0 &&)* self.sketch.is_empty()
            }
        }

        impl TryFrom<&$table::Model> for $type {
            type Error = Error;

            fn try_from(row: &$table::Model) -> Result<Self> {
                Ok(Self {
                    $($field: row.$field,)*
                    $($peak: row.$peak,)?
                    sketch: Sketch::from_bytes(&row.sketch)?,
                })
            }
        }
    };
}

sum!(EndpointSum, endpoints, requests, errors, duration_us, cpu_us, query_count, query_us, slow_queries, cache_hits, cache_misses,
    cache_us, memory_delta, calls; memory_peak);
sum!(FunctionSum, functions, calls, errors, self_us, total_us, query_count, query_us, memory_delta;);
