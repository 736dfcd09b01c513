//! Wakes waiters with one wake-up across threads per runtime instead of one per waiter: waking a task of another thread's
//! runtime costs a system call, waking one of the own runtime doesn't.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::error::JournalError;
use crate::shared::Shared;
use crate::state::Status;

thread_local! {
    /// The dispatchers of this thread's runtime, each with the number of its journal.
    static ATTACHED: RefCell<Vec<(u64, Weak<Dispatcher>)>> = const { RefCell::new(Vec::new()) };
}

static JOURNALS: AtomicU64 = AtomicU64::new(0);

/// The waiters of one runtime, by the position they wait for.
pub(crate) struct Dispatcher {
    waiting: Mutex<Waiting>,
    /// Wakes the task that wakes them; without one the writer's thread wakes each of them.
    task: Option<Notify>,
}

#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<(u64, u64), Waker>,
    next: u64,
    /// The runtime was dropped: nobody would be woken.
    gone: bool,
}

/// The registration of a waiter.
pub(crate) struct Ticket {
    dispatcher: Arc<Dispatcher>,
    key: (u64, u64),
}

impl Ticket {
    /// Replaces the waker; false if this dispatcher was closed.
    pub fn renew(&self, waker: &Waker) -> bool {
        let mut waiting = self.dispatcher.lock();
        if !waiting.gone {
            waiting.wakers.insert(self.key, waker.clone());
        }
        !waiting.gone
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let waker = self.dispatcher.lock().wakers.remove(&self.key);
        // Outside of the lock: dropping it may drop a task.
        drop(waker);
    }
}

impl Dispatcher {
    fn new(task: Option<Notify>) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::default(), task })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(self: Arc<Self>, position: u64, waker: &Waker) -> Option<Ticket> {
        let mut waiting = self.lock();
        if waiting.gone {
            return None;
        }
        waiting.next += 1;
        let key = (position, waiting.next);
        waiting.wakers.insert(key, waker.clone());
        drop(waiting);
        Some(Ticket { dispatcher: self, key })
    }

    /// From the writer's thread: causes the waiters up to `reached`, or all, to be woken.
    fn signal(&self, reached: u64, all: bool) {
        let Some(task) = &self.task else { return self.wake(reached, all) };
        let first = self.lock().wakers.first_key_value().map(|((position, _), _)| *position);
        if first.is_some_and(|position| all || position <= reached) {
            task.notify_one();
        }
    }

    fn wake(&self, reached: u64, all: bool) {
        let due = {
            let mut waiting = self.lock();
            let rest = if all { BTreeMap::new() } else { waiting.wakers.split_off(&(reached + 1, 0)) };
            std::mem::replace(&mut waiting.wakers, rest)
        };
        due.into_values().for_each(Waker::wake);
    }
}

/// All the dispatchers of a journal.
pub(crate) struct Dispatchers {
    journal: u64,
    shared: Arc<Dispatcher>,
    attached: Mutex<Vec<Arc<Dispatcher>>>,
}

impl Default for Dispatchers {
    fn default() -> Self {
        let journal = JOURNALS.fetch_add(1, Ordering::Relaxed);
        Self { journal, shared: Dispatcher::new(None), attached: Mutex::default() }
    }
}

impl Dispatchers {
    /// Registers with the dispatcher of this thread's runtime; with the shared one if there is none, or if `blocking`, as a
    /// blocked thread does not run its runtime.
    pub fn register(&self, position: u64, waker: &Waker, blocking: bool) -> Option<Ticket> {
        let local = || {
            ATTACHED.with_borrow(|all| all.iter().find(|(journal, _)| *journal == self.journal)?.1.upgrade())
        };
        let local = if blocking { None } else { local() };
        local
            .and_then(|dispatcher| dispatcher.register(position, waker))
            .or_else(|| Arc::clone(&self.shared).register(position, waker))
    }

    pub fn signal(&self, reached: u64, all: bool) {
        self.shared.signal(reached, all);
        // A copy, so that no waker runs under the lock.
        let attached = self.lock_attached().clone();
        attached.iter().for_each(|dispatcher| dispatcher.signal(reached, all));
    }

    fn lock_attached(&self) -> MutexGuard<'_, Vec<Arc<Dispatcher>>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the dispatcher of the current runtime, for futures that are polled on this thread.
pub(crate) fn attach(shared: &Arc<Shared>) -> Result<(), JournalError> {
    let runtime = Handle::try_current().map_err(|_| JournalError::NoRuntime)?;
    let dispatcher = Dispatcher::new(Some(Notify::new()));
    let journal = shared.dispatchers.journal;
    shared.dispatchers.lock_attached().push(Arc::clone(&dispatcher));
    ATTACHED.with_borrow_mut(|all| {
        all.retain(|(other, weak)| *other != journal && weak.strong_count() > 0);
        all.push((journal, Arc::downgrade(&dispatcher)));
    });
    let attached = Attached { dispatcher, shared: Arc::clone(shared) };
    runtime.spawn(async move { attached.run().await });
    Ok(())
}

/// The dispatcher's task. When its runtime is dropped, it wakes the remaining waiters.
struct Attached {
    dispatcher: Arc<Dispatcher>,
    shared: Arc<Shared>,
}

impl Attached {
    async fn run(self) {
        let Some(task) = &self.dispatcher.task else { return };
        loop {
            let status = self.shared.status();
            self.dispatcher.wake(self.shared.durable(), status != Status::Running);
            if status == Status::Closed {
                return;
            }
            task.notified().await;
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.shared.dispatchers.lock_attached().retain(|other| !Arc::ptr_eq(other, &self.dispatcher));
        self.dispatcher.lock().gone = true;
        // They check again, and register with another dispatcher.
        self.dispatcher.wake(u64::MAX, true);
    }
}
