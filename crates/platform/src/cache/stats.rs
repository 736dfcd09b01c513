//! Statistics of caches, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The statistics of one cache. They are counted here, as the metrics recorder needs a look-up by name each time.
#[derive(Default)]
pub(super) struct CacheStats {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) evictions: AtomicU64,
    pub(super) entries: AtomicU64,
}

/// A cache's name with its statistics.
type NamedStats = (&'static str, Arc<CacheStats>);

/// The caches of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Caches(Arc<Mutex<Vec<NamedStats>>>);

impl Caches {
    pub(super) fn add(&self, name: &'static str) -> Arc<CacheStats> {
        let stats = Arc::<CacheStats>::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, stats.clone()));
        stats
    }

    /// The number of misses of the cache with this name.
    pub fn misses(&self, name: &str) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|(of, _)| *of == name).map(|(_, stats)| stats.misses.load(Relaxed)).sum()
    }

    /// Publishes the statistics to the metrics recorder.
    pub fn publish(&self) {
        for (name, stats) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            metrics::counter!("loam_cache_hits_total", "cache" => *name).absolute(stats.hits.load(Relaxed));
            metrics::counter!("loam_cache_misses_total", "cache" => *name)
                .absolute(stats.misses.load(Relaxed));
            metrics::counter!("loam_cache_evictions_total", "cache" => *name)
                .absolute(stats.evictions.load(Relaxed));
            #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
            metrics::gauge!("loam_cache_entries", "cache" => *name).set(stats.entries.load(Relaxed) as f64);
        }
    }
}
