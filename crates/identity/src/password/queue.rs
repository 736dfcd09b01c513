//! The queue for password hashing: round robin by tenant, and log-ins before everything else.
//!
//! Each tenant has a bounded queue for each urgency: a tenant with many requests, or whose accounts are attacked, delays
//! only itself. Tenants that don't exist share one queue.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loam_kernel::{Error, Kind, Result, TenantId};
use tokio::sync::oneshot;

/// Maximum length of a queue.
pub(super) const MAX_WAITING: usize = 32;
/// Maximum waiting time.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Every n-th permit goes to the lowest urgency first, which would starve otherwise.
const LOW_PRIORITY_INTERVAL: u64 = 4;

/// How urgent a hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A log-in from a known browser.
    Known = 0,
    /// Another log-in.
    LogIn = 1,
    /// A password that is set.
    Setting = 2,
}

/// Grants permits. Cheap to clone.
#[derive(Clone)]
pub(crate) struct HashQueue(Arc<Mutex<State>>);

struct State {
    free: usize,
    served: u64,
    queues: [TenantQueues; 3],
}

#[derive(Default)]
struct TenantQueues {
    by_tenant: HashMap<TenantId, VecDeque<oneshot::Sender<HashPermit>>>,
    /// Tenants with waiters, the next one first.
    next: VecDeque<TenantId>,
}

/// A permit to hash one password, returned when it is dropped.
pub(crate) struct HashPermit(Option<HashQueue>);

impl HashQueue {
    /// With this number of permits.
    pub(crate) fn new(free: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free, served: 0, queues: Default::default() })))
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// `login_busy` when the tenant's queue is full or the wait times out.
    pub(crate) async fn take(&self, urgency: Urgency, tenant: TenantId) -> Result<HashPermit> {
        let permit = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Ok(HashPermit(Some(self.clone())));
            }
            state.queues[urgency as usize].join(tenant).ok_or_else(busy)?
        };
        match tokio::time::timeout(TIMEOUT, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(busy()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a returned permit to the next waiter.
    fn grant_next(&self) {
        loop {
            let waiting = {
                let mut state = self.state();
                let waiting = state.next();
                if waiting.is_none() {
                    state.free += 1;
                }
                waiting
            };
            let Some(waiting) = waiting else { return };
            match waiting.send(HashPermit(Some(self.clone()))) {
                Ok(()) => return,
                // the waiter was dropped: pass the permit to the next one
                Err(mut permit) => _ = permit.0.take(),
            }
        }
    }
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<HashPermit>> {
        self.served += 1;
        let reversed = self.served.is_multiple_of(LOW_PRIORITY_INTERVAL);
        let mut order = [0, 1, 2];
        if reversed {
            order.reverse();
        }
        order.into_iter().find_map(|urgency| self.queues[urgency].next())
    }
}

impl TenantQueues {
    fn join(&mut self, tenant: TenantId) -> Option<oneshot::Receiver<HashPermit>> {
        let queue = self.by_tenant.entry(tenant).or_default();
        if queue.len() >= MAX_WAITING {
            queue.retain(|waiting| !waiting.is_closed());
        }
        if queue.len() >= MAX_WAITING {
            return None;
        }
        if queue.is_empty() && !self.next.contains(&tenant) {
            self.next.push_back(tenant);
        }
        let (waiting, permit) = oneshot::channel();
        queue.push_back(waiting);
        Some(permit)
    }

    fn next(&mut self) -> Option<oneshot::Sender<HashPermit>> {
        while let Some(tenant) = self.next.pop_front() {
            let Some(queue) = self.by_tenant.get_mut(&tenant) else { continue };
            let waiting = std::iter::from_fn(|| queue.pop_front()).find(|waiting| !waiting.is_closed());
            if queue.is_empty() {
                self.by_tenant.remove(&tenant);
            } else {
                self.next.push_back(tenant);
            }
            if waiting.is_some() {
                return waiting;
            }
        }
        None
    }
}

impl Drop for HashPermit {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.grant_next();
        }
    }
}

fn busy() -> Error {
    let message = "too many passwords are being checked; try again in a moment";
    Error::new(Kind::TooMany, "login_busy", message).with_retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use uuid::Uuid;

    use super::*;

    const NOISY: TenantId = TenantId(Uuid::from_u128(1));
    const QUIET: TenantId = TenantId(Uuid::from_u128(2));

    type Came = Arc<Mutex<Vec<&'static str>>>;

    /// Background waiters that record their names when they are granted a permit.
    #[derive(Default)]
    struct Crowd {
        came: Came,
        waiting: JoinSet<()>,
    }

    impl Crowd {
        async fn waits(&mut self, queue: &HashQueue, name: &'static str, urgency: Urgency, tenant: TenantId) {
            let (queue, came) = (queue.clone(), self.came.clone());
            self.waiting.spawn(async move {
                let _turn = queue.take(urgency, tenant).await.unwrap();
                came.lock().unwrap().push(name);
            });
            tokio::task::yield_now().await;
        }

        async fn came(mut self) -> Vec<&'static str> {
            while let Some(done) = self.waiting.join_next().await {
                done.unwrap();
            }
            self.came.lock().unwrap().clone()
        }
    }

    #[tokio::test]
    async fn tenants_take_turns_and_a_line_is_bounded() {
        let (queue, mut crowd) = (HashQueue::new(1), Crowd::default());
        let held = queue.take(Urgency::LogIn, NOISY).await.unwrap();
        for _ in 0..MAX_WAITING {
            crowd.waits(&queue, "noisy", Urgency::LogIn, NOISY).await;
        }
        let refused = queue.take(Urgency::LogIn, NOISY).await.err().unwrap();
        assert_eq!((refused.code(), refused.status()), ("login_busy", 429));
        for _ in 0..3 {
            crowd.waits(&queue, "quiet", Urgency::LogIn, QUIET).await;
        }
        drop(held);
        let came = crowd.came().await;
        let last = came.iter().rposition(|name| *name == "quiet").unwrap();
        assert!(last < 7, "each came after one of the noisy tenant's at most: {came:?}");
        assert_eq!((came.len(), queue.state().free), (MAX_WAITING + 3, 1));
    }

    #[tokio::test]
    async fn log_ins_go_first_and_the_others_still_come_to_theirs() {
        let (queue, mut crowd) = (HashQueue::new(1), Crowd::default());
        let held = queue.take(Urgency::LogIn, NOISY).await.unwrap();
        for _ in 0..8 {
            crowd.waits(&queue, "setting", Urgency::Setting, NOISY).await;
        }
        for _ in 0..8 {
            crowd.waits(&queue, "log-in", Urgency::LogIn, NOISY).await;
        }
        crowd.waits(&queue, "known", Urgency::Known, NOISY).await;
        drop(held);
        let came = crowd.came().await;
        assert_eq!(came[..4], ["known", "log-in", "log-in", "setting"]);
        let last = came.iter().rposition(|name| *name == "log-in").unwrap();
        assert!(last < 13, "{came:?}");
    }

    #[tokio::test]
    async fn who_has_gone_takes_no_turn_and_no_place() {
        let queue = HashQueue::new(1);
        let held = queue.take(Urgency::LogIn, NOISY).await.unwrap();
        for _ in 0..3 * MAX_WAITING {
            let gone = queue.take(Urgency::LogIn, NOISY);
            assert!(tokio::time::timeout(Duration::from_millis(1), gone).await.is_err(), "it waits");
        }
        drop(held);
        assert_eq!(queue.state().free, 1);
        queue.take(Urgency::Setting, QUIET).await.unwrap();
    }
}
