//! The turns that this process runs, and what of them may be shown.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loam_kernel::{ChatSessionId, Error, Kind, Result, TenantId, TurnId};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event::TurnEvent;

/// Turns that run or wait in one process; each holds its answer in memory.
const MAX_LIVE: usize = 10_000;
/// Of one tenant.
const MAX_OF_TENANT: usize = MAX_LIVE / 2;
/// How long turns that were told to end have to be stored.
const STORING: Duration = Duration::from_secs(10);

/// What of a turn may be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// So many events: those that are durable.
    pub(crate) events: usize,
    /// This process does no more for it: it has ended, or waits for the client.
    pub(crate) over: bool,
}

/// A turn that this process runs.
pub(crate) struct Live {
    pub(crate) tenant: TenantId,
    pub(crate) session: ChatSessionId,
    pub(crate) id: TurnId,
    events: Mutex<Vec<TurnEvent>>,
    shown: watch::Sender<Shown>,
    /// Why it failed, for the request that asked for it.
    failure: Mutex<Option<Error>>,
    /// Ends it; what came is kept.
    pub(crate) stop: CancellationToken,
    /// It may be its turn now.
    pub(crate) wake: Notify,
}

impl Live {
    /// A turn whose events so far are in the database.
    pub(crate) fn new(
        tenant: TenantId,
        session: ChatSessionId,
        id: TurnId,
        events: Vec<TurnEvent>,
    ) -> Arc<Self> {
        let shown = watch::Sender::new(Shown { events: events.len(), over: false });
        Arc::new(Self {
            tenant,
            session,
            id,
            events: Mutex::new(events),
            shown,
            failure: Mutex::default(),
            stop: CancellationToken::new(),
            wake: Notify::new(),
        })
    }

    /// Its events, those that may not be shown yet among them.
    pub(super) fn events(&self) -> MutexGuard<'_, Vec<TurnEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows what may be shown.
    pub(crate) fn watch(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// So many events may be shown from now on.
    pub(super) fn show(&self, events: usize) {
        self.shown.send_if_modified(|shown| {
            let more = events > shown.events;
            shown.events = shown.events.max(events);
            more
        });
    }

    /// All events may be shown, as they are stored; `over`: and none is added here.
    pub(super) fn stored(&self, events: Vec<TurnEvent>, over: bool) {
        let count = events.len();
        *self.events() = events;
        self.shown.send_modify(|shown| *shown = Shown { events: count, over });
    }

    /// Some of the events as a client gets them.
    pub(crate) fn render(&self, from: usize, to: usize) -> String {
        let mut out = String::new();
        for (at, event) in self.events().iter().enumerate().take(to).skip(from) {
            event.render(at + 1, &mut out);
        }
        out
    }

    /// Keeps why it failed, for the request that asked for it.
    pub(super) fn fail(&self, error: Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Why it failed; once.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until this process does no more for it.
    pub(crate) async fn over(&self) {
        // the sender lives as long as `self`
        _ = self.watch().wait_for(|shown| shown.over).await;
    }

    /// Waits until more events than these may be shown, or no more come.
    pub(crate) async fn shows_more(&self, events: usize) {
        _ = self.watch().wait_for(|shown| shown.over || shown.events > events).await;
    }

    /// Whether anything was said behind these events, so that a failure is the answer's end, not its place.
    pub(crate) fn says_more(&self, events: usize) -> bool {
        let says = |event: &TurnEvent| !matches!(event, TurnEvent::Started { .. } | TurnEvent::Ended { .. });
        self.events().iter().skip(events).any(says)
    }
}

/// All turns of this process.
#[derive(Default)]
pub(crate) struct Turns {
    known: Mutex<Known>,
    tasks: TaskTracker,
    /// Ends every turn: the server stops.
    ending: CancellationToken,
}

#[derive(Default)]
struct Known {
    turns: HashMap<TurnId, Arc<Live>>,
    sessions: HashMap<ChatSessionId, BTreeSet<TurnId>>,
    /// How many each tenant has.
    tenants: HashMap<TenantId, usize>,
}

impl Turns {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses when there is no room for another.
    pub(crate) fn admit(&self, tenant: TenantId) -> Result<()> {
        if self.tasks.is_closed() {
            let message = "the server is stopping; try again in a moment";
            return Err(Error::unavailable("stopping", message, Duration::from_secs(2)));
        }
        let (all, own) = {
            let known = self.known();
            (known.turns.len(), known.tenants.get(&tenant).copied().unwrap_or(0))
        };
        if all >= MAX_LIVE || own >= MAX_OF_TENANT {
            let message = "this server runs as many turns as it can; try again in a moment";
            return Err(
                Error::new(Kind::TooMany, "too_many_turns", message).with_retry_after(Duration::from_secs(2))
            );
        }
        Ok(())
    }

    /// Runs a turn in a task that a stopping server waits for.
    pub(crate) fn run(&self, live: &Arc<Live>, task: impl Future<Output = ()> + Send + 'static) {
        self.hold(live);
        self.tasks.spawn(task);
    }

    /// Counts a turn among those that are run here, which nobody else then ends.
    pub(crate) fn hold(&self, live: &Arc<Live>) {
        let mut known = self.known();
        if known.turns.insert(live.id, live.clone()).is_none() {
            *known.tenants.entry(live.tenant).or_default() += 1;
        }
        known.sessions.entry(live.session).or_default().insert(live.id);
    }

    /// The turn, if it is run here.
    pub(crate) fn get(&self, id: TurnId) -> Option<Arc<Live>> {
        self.known().turns.get(&id).cloned()
    }

    /// All turns that are run here.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.known().turns.values().cloned().collect()
    }

    /// Whether none of the session that is run here came before.
    pub(crate) fn is_first(&self, live: &Live) -> bool {
        let known = self.known();
        known.sessions.get(&live.session).and_then(|turns| turns.first()) == Some(&live.id)
    }

    /// Forgets a turn, and wakes those that waited for it.
    pub(crate) fn remove(&self, live: &Live) {
        let mut guard = self.known();
        let known = &mut *guard;
        if known.turns.remove(&live.id).is_some()
            && let Some(count) = known.tenants.get_mut(&live.tenant)
        {
            *count -= 1;
            if *count == 0 {
                known.tenants.remove(&live.tenant);
            }
        }
        if let Some(left) = known.sessions.get_mut(&live.session) {
            left.remove(&live.id);
            if left.is_empty() {
                known.sessions.remove(&live.session);
            } else {
                left.iter().filter_map(|id| known.turns.get(id)).for_each(|next| next.wake.notify_one());
            }
        }
    }

    /// Wakes the turns of a session that wait here.
    pub(crate) fn wake(&self, session: ChatSessionId) {
        let known = self.known();
        let waiting = known.sessions.get(&session).into_iter().flatten();
        waiting.filter_map(|id| known.turns.get(id)).for_each(|live| live.wake.notify_one());
    }

    /// Ends when the server is to stop without waiting any longer.
    pub(crate) async fn ending(&self) {
        self.ending.cancelled().await;
    }

    /// Takes no more turns, waits so long for those that run to come to their end, then stores what they have.
    pub(crate) async fn finish(&self, patience: Duration) {
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.ending.cancel();
        if tokio::time::timeout(STORING, self.tasks.wait()).await.is_err() {
            let turns = self.tasks.len();
            tracing::warn!(turns, "stopping with turns that could not be stored; they are at the next start");
        }
    }
}
