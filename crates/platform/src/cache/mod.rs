//! Cached reads: bounded, read once however many ask, and out of date for nobody who was told of a change.
//!
//! A cache is declared next to the entity it reads, with what empties it:
//!
//! ```text
//! const CACHE: CacheSpec = CacheSpec { name: "projects", capacity: 10_000, ttl: Duration::from_mins(30), topics: &["projects"] };
//! let projects = Cache::new(CACHE, &notices, |notice| Some((notice.tenant, ProjectId(notice.subject))));
//! let project = projects.get((scope.tenant(), id), || async { read_from_the_database().await }).await?;
//! ```
//!
//! - Whoever asks after a change has been told to this process (own changes at once, others' within a second) gets what
//!   was read after it. Values are not removed by a notice, but their epoch passes, so that a reading that began before
//!   the change can't be taken for one after it.
//! - Many who ask for the same at once wait for one reading.
//! - While the database is away, what was read last is given instead.
//! - The key must hold the tenant, unless the value is the same for all.

mod figures;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loam_kernel::{Kind, Result};
use moka::notification::RemovalCause;
use tokio::sync::OnceCell;

use crate::notices::{Notice, Notices};
pub use figures::Caches;
use figures::Figures;

/// Keys share so many epochs: a change of one lets the values of one in so many be read again.
const EPOCHS: usize = 256;

/// What a cache is, declared next to what it keeps.
#[derive(Clone, Copy, Debug)]
pub struct CacheSpec {
    /// Its name in `/metrics`.
    pub name: &'static str,
    /// Entries at most; the least used go first.
    pub capacity: u64,
    /// How long a value is used before it is read again.
    pub ttl: Duration,
    /// The tables whose changes let values pass.
    pub topics: &'static [&'static str],
}

struct Entry<V> {
    value: V,
    epoch: u64,
    read_at: Instant,
}

/// Readings under way, by the key and the epoch in which they began.
type Flights<K, V> = HashMap<(K, u64), Arc<OnceCell<V>>>;

struct Inner<K, V> {
    spec: CacheSpec,
    entries: moka::sync::Cache<K, Arc<Entry<V>>>,
    flights: Mutex<Flights<K, V>>,
    epochs: Vec<AtomicU64>,
    hasher: RandomState,
    figures: Arc<Figures>,
}

/// A bounded cache of what is read from the database. Cheap to clone.
pub struct Cache<K, V>(Arc<Inner<K, V>>);

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache that hears of changes. `key` says which value a notice of its topics is about; none: all of them.
    pub fn new(
        spec: CacheSpec,
        notices: &Notices,
        key: impl Fn(&Notice) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        let figures = notices.caches().add(spec.name);
        let evicted = figures.clone();
        let entries = moka::sync::Cache::builder()
            .max_capacity(spec.capacity)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    evicted.evictions.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        let inner = Arc::new(Inner {
            spec,
            entries,
            flights: Mutex::default(),
            epochs: (0..EPOCHS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            figures,
        });
        let listener = Arc::downgrade(&inner);
        notices.subscribe(move |notice| {
            if let (true, Some(inner)) = (spec.topics.contains(&notice.topic.as_str()), listener.upgrade()) {
                match key(notice) {
                    Some(key) => _ = inner.epoch(&key).fetch_add(1, Ordering::AcqRel),
                    None => inner.epochs.iter().for_each(|epoch| _ = epoch.fetch_add(1, Ordering::AcqRel)),
                }
            }
        });
        Self(inner)
    }

    /// The value of a key: from memory, or as `read` finds it.
    ///
    /// # Errors
    /// What `read` answers, unless the database is away and the value was read before.
    pub async fn get<F: Future<Output = Result<V>>>(&self, key: K, read: impl FnOnce() -> F) -> Result<V> {
        let this = &*self.0;
        // taken before anything is read: a change meanwhile makes what is found old at once
        let epoch = this.epoch(&key).load(Ordering::Acquire);
        let kept = this.entries.get(&key);
        if let Some(entry) = kept.as_ref().filter(|e| e.epoch == epoch && e.read_at.elapsed() < this.spec.ttl)
        {
            this.figures.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(entry.value.clone());
        }
        this.figures.misses.fetch_add(1, Ordering::Relaxed);
        let flight = Flight { inner: this, key: &key, epoch, cell: this.board(&key, epoch) };
        let value = flight.cell.get_or_try_init(read).await.cloned();
        drop(flight);
        match (value, kept) {
            (Err(e), Some(kept)) if e.kind() == Kind::Unavailable => {
                tracing::debug!(cache = this.spec.name, error = %e, "giving what was read last");
                Ok(kept.value.clone())
            }
            (value, _) => value,
        }
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Inner<K, V> {
    fn epoch(&self, key: &K) -> &AtomicU64 {
        let place = usize::try_from(self.hasher.hash_one(key) % EPOCHS as u64).unwrap_or_default();
        &self.epochs[place]
    }

    /// Joins the reading under way, or begins one.
    fn board(&self, key: &K, epoch: u64) -> Arc<OnceCell<V>> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.entry((key.clone(), epoch)).or_default().clone()
    }
}

/// A part in a reading, which may be given up at any time.
struct Flight<'a, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    inner: &'a Inner<K, V>,
    key: &'a K,
    epoch: u64,
    cell: Arc<OnceCell<V>>,
}

impl<K, V> Drop for Flight<'_, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The first to leave a reading that found something keeps it, so that a later one is never overwritten. One that
    /// failed is ended by the last who waits.
    fn drop(&mut self) {
        let mut flights = self.inner.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (self.key.clone(), self.epoch);
        let ours = flights.get(&place).is_some_and(|open| Arc::ptr_eq(open, &self.cell));
        let found = self.cell.get();
        // the map's and this one
        if ours && (found.is_some() || Arc::strong_count(&self.cell) <= 2) {
            flights.remove(&place);
        }
        if let (true, Some(value)) = (ours, found) {
            let entry = Entry { value: value.clone(), epoch: self.epoch, read_at: Instant::now() };
            self.inner.entries.insert(self.key.clone(), Arc::new(entry));
        }
        self.inner.figures.entries.store(self.inner.entries.entry_count(), Ordering::Relaxed);
    }
}
