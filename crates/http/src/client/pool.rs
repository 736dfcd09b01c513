//! Pools of idle connections, one per runtime.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Context;
use std::time::Duration;

use http::uri::Authority;
use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, sleep};

use super::Config;
use super::connection::LiveConnection;

/// The key of interchangeable connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) https: bool,
    authority: Authority,
}

impl Key {
    pub(super) fn new(https: bool, authority: Authority) -> Self {
        Self { https, authority }
    }
}

/// The pools of all runtimes that use one client.
pub(super) struct Pools {
    /// A few at most, so a list is faster than a map.
    by_runtime: Mutex<Vec<(Id, Arc<Pool>)>>,
    idle_timeout: Duration,
    max_idle_per_host: usize,
}

/// The idle connections of one runtime.
pub(super) struct Pool {
    hosts: Mutex<HashMap<Key, Vec<Idle>>>,
    idle_timeout: Duration,
    max_idle_per_host: usize,
}

struct Idle {
    live: Box<LiveConnection>,
    since: Instant,
}

impl Pools {
    pub(super) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            by_runtime: Mutex::new(Vec::new()),
            idle_timeout: Duration::from_secs(config.pool_idle_timeout),
            max_idle_per_host: config.max_idle_per_host,
        })
    }

    /// The pool of the current runtime.
    pub(super) fn current(self: &Arc<Self>) -> Arc<Pool> {
        let id = Handle::current().id();
        let mut pools = lock(&self.by_runtime);
        if let Some((_, pool)) = pools.iter().find(|(owner, _)| *owner == id) {
            return pool.clone();
        }
        let pool = Arc::new(Pool {
            hosts: Mutex::new(HashMap::new()),
            idle_timeout: self.idle_timeout,
            max_idle_per_host: self.max_idle_per_host,
        });
        pools.push((id, pool.clone()));
        let entry = Entry { pools: Arc::downgrade(self), id };
        TokioExecutor::new().execute(sweep(entry, Arc::downgrade(&pool), self.idle_timeout));
        pool
    }
}

/// The registration of a runtime's pool. The sweeper task owns it, so that it is removed when the runtime drops its tasks.
struct Entry {
    pools: Weak<Pools>,
    id: Id,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(pools) = self.pools.upgrade() {
            // The pool is dropped after the lock is released: closing connections may take a while.
            let _gone = {
                let mut list = lock(&pools.by_runtime);
                list.iter().position(|(id, _)| *id == self.id).map(|at| list.swap_remove(at))
            };
        }
    }
}

/// Closes connections that are idle for too long, until the client is dropped.
async fn sweep(entry: Entry, pool: Weak<Pool>, idle_timeout: Duration) {
    let _entry = entry;
    loop {
        sleep((idle_timeout / 2).max(Duration::from_millis(100))).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.close_idle();
    }
}

impl Pool {
    /// Takes the most recently used connection, if there is one. It may be dead.
    pub(super) fn take(&self, key: &Key) -> Option<Box<LiveConnection>> {
        let mut hosts = lock(&self.hosts);
        let list = hosts.get_mut(key)?;
        let idle = list.pop()?;
        if idle.since.elapsed() < self.idle_timeout {
            return Some(idle.live);
        }
        // The last one is the most recently used: all others have been idle for longer.
        let _old = std::mem::take(list);
        None
    }

    fn put(&self, key: Key, live: Box<LiveConnection>) {
        if self.max_idle_per_host == 0 {
            return;
        }
        let since = Instant::now();
        let mut hosts = lock(&self.hosts);
        let list = hosts.entry(key).or_default();
        if list.len() < self.max_idle_per_host {
            list.push(Idle { live, since });
        }
    }

    fn close_idle(&self) {
        let now = Instant::now();
        lock(&self.hosts).retain(|_, list| {
            list.retain(|idle| now.duration_since(idle.since) < self.idle_timeout);
            list.shrink_to(2 * list.len());
            !list.is_empty()
        });
    }
}

/// A connection in use, with the pool that it returns to.
pub(super) struct Lease {
    pool: Arc<Pool>,
    key: Key,
    live: Box<LiveConnection>,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, key: Key, live: Box<LiveConnection>) -> Self {
        Self { pool, key, live }
    }

    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        self.live.drive(cx);
    }

    /// Returns the connection to its pool, if it is reusable.
    pub(super) fn give_back(mut self) {
        if self.live.reusable() {
            self.pool.put(self.key, self.live);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data is consistent even if a panic releases one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
