//! Cached reads: bounded, with single-flight reads, and invalidated by change notices.
//!
//! A cache is declared next to the entity it reads, with what empties it:
//!
//! ```text
//! const CACHE: CacheSpec = CacheSpec { name: "projects", capacity: 10_000, ttl: Duration::from_mins(30), topics: &["projects"] };
//! let projects = Cache::new(CACHE, &notices, |notice| Some((notice.tenant, ProjectId(notice.subject))));
//! let project = projects.get((scope.tenant(), id), || async { read_from_the_database().await }).await?;
//! ```
//!
//! - A request after this process has received a change notice (own changes immediately, others' within a second) gets a
//!   value that was read after the change. A notice does not remove values but advances their epoch, so that a read that
//!   began before the change is never used after it.
//! - Concurrent requests for the same key share one read.
//! - While the database is unavailable, the last known value is returned.
//! - The key must hold the tenant, unless the value is the same for all.

mod stats;
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
use stats::CacheStats;
pub use stats::Caches;

/// Number of epochs, which keys share: a change of one key invalidates a fraction of 1/256 of all keys.
const EPOCHS: usize = 256;

/// The specification of a cache, declared next to the entity that it caches.
#[derive(Clone, Copy, Debug)]
pub struct CacheSpec {
    /// Its name in `/metrics`.
    pub name: &'static str,
    /// Maximum number of entries; the least used are evicted.
    pub capacity: u64,
    /// How long a value is used before it is read again.
    pub ttl: Duration,
    /// The tables whose changes invalidate values.
    pub topics: &'static [&'static str],
}

struct Entry<V> {
    value: V,
    epoch: u64,
    read_at: Instant,
}

/// Running reads, by key and the epoch in which they began.
type PendingReads<K, V> = HashMap<(K, u64), Arc<OnceCell<V>>>;

struct Inner<K, V> {
    spec: CacheSpec,
    entries: moka::sync::Cache<K, Arc<Entry<V>>>,
    pending_reads: Mutex<PendingReads<K, V>>,
    epochs: Vec<AtomicU64>,
    hasher: RandomState,
    stats: Arc<CacheStats>,
}

/// A bounded cache of values from the database. Cheap to clone.
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
    /// A cache that subscribes to change notices. `key` maps a notice of its topics to the affected key; none: all keys.
    pub fn new(
        spec: CacheSpec,
        notices: &Notices,
        key: impl Fn(&Notice) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        let stats = notices.caches().add(spec.name);
        let evicted = stats.clone();
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
            pending_reads: Mutex::default(),
            epochs: (0..EPOCHS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            stats,
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

    /// The value of a key: cached, or read with `read`.
    ///
    /// # Errors
    /// The error of `read`, unless the database is unavailable and a value is cached.
    pub async fn get<F: Future<Output = Result<V>>>(&self, key: K, read: impl FnOnce() -> F) -> Result<V> {
        let this = &*self.0;
        // loaded before the read: a change meanwhile makes the result outdated immediately
        let epoch = this.epoch(&key).load(Ordering::Acquire);
        let cached = this.entries.get(&key);
        if let Some(entry) =
            cached.as_ref().filter(|e| e.epoch == epoch && e.read_at.elapsed() < this.spec.ttl)
        {
            this.stats.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(entry.value.clone());
        }
        this.stats.misses.fetch_add(1, Ordering::Relaxed);
        let pending_read = PendingRead { inner: this, key: &key, epoch, cell: this.join(&key, epoch) };
        let value = pending_read.cell.get_or_try_init(read).await.cloned();
        drop(pending_read);
        match (value, cached) {
            (Err(e), Some(cached)) if e.kind() == Kind::Unavailable => {
                tracing::debug!(cache = this.spec.name, error = %e, "returning the last known value");
                Ok(cached.value.clone())
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

    /// Joins the running read, or begins one.
    fn join(&self, key: &K, epoch: u64) -> Arc<OnceCell<V>> {
        let mut pending_reads = self.pending_reads.lock().unwrap_or_else(PoisonError::into_inner);
        pending_reads.entry((key.clone(), epoch)).or_default().clone()
    }
}

/// A participant of a read, which may be dropped at any time.
struct PendingRead<'a, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    inner: &'a Inner<K, V>,
    key: &'a K,
    epoch: u64,
    cell: Arc<OnceCell<V>>,
}

impl<K, V> Drop for PendingRead<'_, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The first participant to leave a successful read removes it, so that a later read is not affected. A failed read is
    /// removed by its last participant.
    fn drop(&mut self) {
        let mut pending_reads = self.inner.pending_reads.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (self.key.clone(), self.epoch);
        let ours = pending_reads.get(&place).is_some_and(|open| Arc::ptr_eq(open, &self.cell));
        let found = self.cell.get();
        // the map's and this one
        if ours && (found.is_some() || Arc::strong_count(&self.cell) <= 2) {
            pending_reads.remove(&place);
        }
        if let (true, Some(value)) = (ours, found) {
            let entry = Entry { value: value.clone(), epoch: self.epoch, read_at: Instant::now() };
            self.inner.entries.insert(self.key.clone(), Arc::new(entry));
        }
        self.inner.stats.entries.store(self.inner.entries.entry_count(), Ordering::Relaxed);
    }
}
