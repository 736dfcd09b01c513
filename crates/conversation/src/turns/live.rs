//! The turns that this process runs, and which of their events may be sent.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loam_kernel::{ChatSessionId, Error, Kind, Result, TenantId, TurnId};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event::TurnEvent;
use super::progress::TurnEvents;

/// Maximum number of running and queued turns in one process; each holds its answer in memory.
const MAX_LIVE: usize = 10_000;
/// The same, per tenant.
const MAX_PER_TENANT: usize = MAX_LIVE / 2;
/// How long turns that are interrupted by a shutdown have to be stored.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// How far a turn's stream may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// Number of durable events.
    pub(crate) events: usize,
    /// This process is done with the turn: it has ended or waits for the client.
    pub(crate) done: bool,
}

/// A turn that this process runs.
pub(crate) struct LiveTurn {
    pub(crate) tenant: TenantId,
    pub(crate) session: ChatSessionId,
    pub(crate) id: TurnId,
    events: Mutex<TurnEvents>,
    published: watch::Sender<Published>,
    /// Why it failed, for the request that started it.
    failure: Mutex<Option<Error>>,
    /// Stops the turn; partial output is kept.
    pub(crate) stop: CancellationToken,
    /// Wakes the turn when an earlier one has ended.
    pub(crate) wake: Notify,
}

impl LiveTurn {
    /// A turn whose events so far are in the database.
    pub(crate) fn new(
        tenant: TenantId,
        session: ChatSessionId,
        id: TurnId,
        events: Vec<TurnEvent>,
    ) -> Arc<Self> {
        let published = watch::Sender::new(Published { events: events.len(), done: false });
        Arc::new(Self {
            tenant,
            session,
            id,
            events: Mutex::new(events.into()),
            published,
            failure: Mutex::default(),
            stop: CancellationToken::new(),
            wake: Notify::new(),
        })
    }

    /// All events, including those that are not durable yet.
    pub(super) fn events(&self) -> MutexGuard<'_, TurnEvents> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to progress.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    /// Marks the first `events` events as durable.
    pub(super) fn publish(&self, events: usize) {
        self.published.send_if_modified(|published| {
            let more = events > published.events;
            published.events = published.events.max(events);
            more
        });
    }

    /// Replaces the events by the stored ones, which are all durable. `done`: this process adds none.
    pub(super) fn stored(&self, events: Vec<TurnEvent>, done: bool) {
        let count = events.len();
        *self.events() = events.into();
        self.published.send_modify(|published| *published = Published { events: count, done });
    }

    /// Renders a range of events.
    pub(crate) fn render(&self, from: usize, to: usize) -> String {
        let mut out = String::new();
        for (at, event) in self.events().iter().enumerate().take(to).skip(from) {
            event.render(at + 1, &mut out);
        }
        out
    }

    /// Sets why it failed, for the request that started it.
    pub(super) fn fail(&self, error: Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Takes the reason of the failure.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until this process is done with the turn.
    pub(crate) async fn wait_done(&self) {
        // The sender lives as long as `self`.
        _ = self.subscribe().wait_for(|published| published.done).await;
    }

    /// Waits for more than this number of durable events, or for the end.
    pub(crate) async fn wait_for_more(&self, events: usize) {
        _ = self.subscribe().wait_for(|published| published.done || published.events > events).await;
    }

    /// Whether there was output after these events: a failure is then part of the answer, not an error
    /// response.
    pub(crate) fn has_output_after(&self, events: usize) -> bool {
        let is_output =
            |event: &TurnEvent| !matches!(event, TurnEvent::Started { .. } | TurnEvent::Ended { .. });
        self.events().iter().skip(events).any(is_output)
    }
}

/// The turns of this process.
#[derive(Default)]
pub(crate) struct LiveTurns {
    index: Mutex<TurnIndex>,
    tasks: TaskTracker,
    /// Interrupts all turns: the server is shutting down.
    shutdown: CancellationToken,
}

#[derive(Default)]
struct TurnIndex {
    turns: HashMap<TurnId, Arc<LiveTurn>>,
    sessions: HashMap<ChatSessionId, BTreeSet<TurnId>>,
    /// Number of turns per tenant.
    tenants: HashMap<TenantId, usize>,
}

impl LiveTurns {
    fn index(&self) -> MutexGuard<'_, TurnIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rejects a turn above the limits.
    pub(crate) fn admit(&self, tenant: TenantId) -> Result<()> {
        if self.tasks.is_closed() {
            let message = "the server is shutting down; try again shortly";
            return Err(Error::unavailable("stopping", message, Duration::from_secs(2)));
        }
        let (all, own) = {
            let index = self.index();
            (index.turns.len(), index.tenants.get(&tenant).copied().unwrap_or(0))
        };
        if all >= MAX_LIVE || own >= MAX_PER_TENANT {
            let message = "the server has reached its limit of concurrent turns; try again shortly";
            return Err(
                Error::new(Kind::TooMany, "too_many_turns", message).with_retry_after(Duration::from_secs(2))
            );
        }
        Ok(())
    }

    /// Runs a turn in a task that a graceful shutdown waits for.
    pub(crate) fn run(&self, live: &Arc<LiveTurn>, task: impl Future<Output = ()> + Send + 'static) {
        self.register(live);
        self.tasks.spawn(task);
    }

    /// Registers a turn as run by this process, so that the recovery does not end it.
    pub(crate) fn register(&self, live: &Arc<LiveTurn>) {
        let mut index = self.index();
        if index.turns.insert(live.id, live.clone()).is_none() {
            *index.tenants.entry(live.tenant).or_default() += 1;
        }
        index.sessions.entry(live.session).or_default().insert(live.id);
    }

    /// The turn, if this process runs it.
    pub(crate) fn get(&self, id: TurnId) -> Option<Arc<LiveTurn>> {
        self.index().turns.get(&id).cloned()
    }

    /// All turns that this process runs.
    pub(crate) fn all(&self) -> Vec<Arc<LiveTurn>> {
        self.index().turns.values().cloned().collect()
    }

    /// Whether this process runs no earlier turn of the session.
    pub(crate) fn is_first(&self, live: &LiveTurn) -> bool {
        let index = self.index();
        index.sessions.get(&live.session).and_then(|turns| turns.first()) == Some(&live.id)
    }

    /// Unregisters a turn, and wakes the turns that wait for it.
    pub(crate) fn remove(&self, live: &LiveTurn) {
        let mut guard = self.index();
        let index = &mut *guard;
        if index.turns.remove(&live.id).is_some()
            && let Some(count) = index.tenants.get_mut(&live.tenant)
        {
            *count -= 1;
            if *count == 0 {
                index.tenants.remove(&live.tenant);
            }
        }
        if let Some(left) = index.sessions.get_mut(&live.session) {
            left.remove(&live.id);
            if left.is_empty() {
                index.sessions.remove(&live.session);
            } else {
                left.iter().filter_map(|id| index.turns.get(id)).for_each(|next| next.wake.notify_one());
            }
        }
    }

    /// Wakes the queued turns of a session.
    pub(crate) fn wake(&self, session: ChatSessionId) {
        let index = self.index();
        let waiting = index.sessions.get(&session).into_iter().flatten();
        waiting.filter_map(|id| index.turns.get(id)).for_each(|live| live.wake.notify_one());
    }

    /// Completes when the server stops waiting for turns.
    pub(crate) async fn shutting_down(&self) {
        self.shutdown.cancelled().await;
    }

    /// Accepts no more turns, waits up to the timeout for running ones, then stores what the others have
    /// produced.
    pub(crate) async fn finish(&self, timeout: Duration) {
        self.tasks.close();
        if tokio::time::timeout(timeout, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.shutdown.cancel();
        if tokio::time::timeout(STORE_TIMEOUT, self.tasks.wait()).await.is_err() {
            let turns = self.tasks.len();
            tracing::warn!(
                turns,
                "shutting down with turns that could not be stored; they are recovered at the next start"
            );
        }
    }
}
