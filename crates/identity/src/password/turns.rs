//! Turns of those who need a password hashed: by tenant in rotation, and log-ins before everything else.
//!
//! Each tenant has a line of its own for each urgency, and each line is bounded: a tenant that asks for many hashes, or
//! whose users are logged in as by somebody who tries passwords, waits behind itself alone. Tenants that don't exist share
//! one line.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loam_kernel::{Error, Kind, Result, TenantId};
use tokio::sync::oneshot;

/// Who may wait in a line.
pub(super) const LINE: usize = 32;
/// How long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Every so many turns begin with the least urgent, which would never come to theirs otherwise.
const REVERSED: u64 = 4;

/// How urgent a hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A log-in from a browser in which the user was logged in before.
    Known = 0,
    /// Another log-in.
    LogIn = 1,
    /// A password that is set.
    Setting = 2,
}

/// Hands out turns. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    served: u64,
    lines: [Lines; 3],
}

#[derive(Default)]
struct Lines {
    by_tenant: HashMap<TenantId, VecDeque<oneshot::Sender<Turn>>>,
    /// Tenants with somebody waiting, the next one first.
    next: VecDeque<TenantId>,
}

/// A turn, until it is dropped.
pub(crate) struct Turn(Option<Turns>);

impl Turns {
    /// So many at once.
    pub(crate) fn new(free: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free, served: 0, lines: Default::default() })))
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `login_busy` when the tenant's line is full, or nobody's turn came in time.
    pub(crate) async fn take(&self, urgency: Urgency, tenant: TenantId) -> Result<Turn> {
        let turn = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn(Some(self.clone())));
            }
            state.lines[urgency as usize].join(tenant).ok_or_else(busy)?
        };
        match tokio::time::timeout(PATIENCE, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(busy()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a turn that has ended to the next who still waits.
    fn pass_on(&self) {
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
            match waiting.send(Turn(Some(self.clone()))) {
                Ok(()) => return,
                // they have gone: it is not given back, but given to the next
                Err(mut turn) => _ = turn.0.take(),
            }
        }
    }
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        self.served += 1;
        let reversed = self.served.is_multiple_of(REVERSED);
        let mut order = [0, 1, 2];
        if reversed {
            order.reverse();
        }
        order.into_iter().find_map(|urgency| self.lines[urgency].next())
    }
}

impl Lines {
    fn join(&mut self, tenant: TenantId) -> Option<oneshot::Receiver<Turn>> {
        let line = self.by_tenant.entry(tenant).or_default();
        if line.len() >= LINE {
            line.retain(|waiting| !waiting.is_closed());
        }
        if line.len() >= LINE {
            return None;
        }
        if line.is_empty() && !self.next.contains(&tenant) {
            self.next.push_back(tenant);
        }
        let (waiting, turn) = oneshot::channel();
        line.push_back(waiting);
        Some(turn)
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some(tenant) = self.next.pop_front() {
            let Some(line) = self.by_tenant.get_mut(&tenant) else { continue };
            let waiting = std::iter::from_fn(|| line.pop_front()).find(|waiting| !waiting.is_closed());
            if line.is_empty() {
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

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass_on();
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

    /// Those who wait in the background, and tell their names when their turns come.
    #[derive(Default)]
    struct Crowd {
        came: Came,
        waiting: JoinSet<()>,
    }

    impl Crowd {
        async fn waits(&mut self, turns: &Turns, name: &'static str, urgency: Urgency, tenant: TenantId) {
            let (turns, came) = (turns.clone(), self.came.clone());
            self.waiting.spawn(async move {
                let _turn = turns.take(urgency, tenant).await.unwrap();
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
        let (turns, mut crowd) = (Turns::new(1), Crowd::default());
        let held = turns.take(Urgency::LogIn, NOISY).await.unwrap();
        for _ in 0..LINE {
            crowd.waits(&turns, "noisy", Urgency::LogIn, NOISY).await;
        }
        let refused = turns.take(Urgency::LogIn, NOISY).await.err().unwrap();
        assert_eq!((refused.code(), refused.status()), ("login_busy", 429));
        for _ in 0..3 {
            crowd.waits(&turns, "quiet", Urgency::LogIn, QUIET).await;
        }
        drop(held);
        let came = crowd.came().await;
        let last = came.iter().rposition(|name| *name == "quiet").unwrap();
        assert!(last < 7, "each came after one of the noisy tenant's at most: {came:?}");
        assert_eq!((came.len(), turns.state().free), (LINE + 3, 1));
    }

    #[tokio::test]
    async fn log_ins_go_first_and_the_others_still_come_to_theirs() {
        let (turns, mut crowd) = (Turns::new(1), Crowd::default());
        let held = turns.take(Urgency::LogIn, NOISY).await.unwrap();
        for _ in 0..8 {
            crowd.waits(&turns, "setting", Urgency::Setting, NOISY).await;
        }
        for _ in 0..8 {
            crowd.waits(&turns, "log-in", Urgency::LogIn, NOISY).await;
        }
        crowd.waits(&turns, "known", Urgency::Known, NOISY).await;
        drop(held);
        let came = crowd.came().await;
        assert_eq!(came[..4], ["known", "log-in", "log-in", "setting"]);
        let last = came.iter().rposition(|name| *name == "log-in").unwrap();
        assert!(last < 13, "{came:?}");
    }

    #[tokio::test]
    async fn who_has_gone_takes_no_turn_and_no_place() {
        let turns = Turns::new(1);
        let held = turns.take(Urgency::LogIn, NOISY).await.unwrap();
        for _ in 0..3 * LINE {
            let gone = turns.take(Urgency::LogIn, NOISY);
            assert!(tokio::time::timeout(Duration::from_millis(1), gone).await.is_err(), "it waits");
        }
        drop(held);
        assert_eq!(turns.state().free, 1);
        turns.take(Urgency::Setting, QUIET).await.unwrap();
    }
}
