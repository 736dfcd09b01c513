//! How well caches work, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The figures of one cache. Counted here rather than by the recorder of metrics, which is asked for by name each time.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) evictions: AtomicU64,
    pub(super) entries: AtomicU64,
}

/// A cache's name with its figures.
type Named = (&'static str, Arc<Figures>);

/// The caches of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Caches(Arc<Mutex<Vec<Named>>>);

impl Caches {
    pub(super) fn add(&self, name: &'static str) -> Arc<Figures> {
        let figures = Arc::<Figures>::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, figures.clone()));
        figures
    }

    /// How often the cache of this name had to read.
    pub fn misses(&self, name: &str) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|(of, _)| *of == name).map(|(_, figures)| figures.misses.load(Relaxed)).sum()
    }

    /// Hands the figures to the recorder.
    pub fn publish(&self) {
        for (name, figures) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            metrics::counter!("loam_cache_hits_total", "cache" => *name).absolute(figures.hits.load(Relaxed));
            metrics::counter!("loam_cache_misses_total", "cache" => *name)
                .absolute(figures.misses.load(Relaxed));
            metrics::counter!("loam_cache_evictions_total", "cache" => *name)
                .absolute(figures.evictions.load(Relaxed));
            #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
            metrics::gauge!("loam_cache_entries", "cache" => *name).set(figures.entries.load(Relaxed) as f64);
        }
    }
}
