//! Who holds what, who waits, and whose turn it is. No waiting here.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::{Busy, FairLimits, FairUse};
use crate::TenantId;

/// How many of the tenants whose turn comes next are compared by what they hold. More would cost time under the lock.
const LOOK: usize = 64;

/// What a request found.
pub(super) enum Entered {
    Served,
    Queued { ticket: u64, granted: oneshot::Receiver<()> },
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    units: usize,
    granted: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Tenant {
    held: usize,
    queue: VecDeque<Waiter>,
    /// Whether its turn comes: it stands in `turns`.
    in_turns: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    used: usize,
    waiting: usize,
    next_ticket: u64,
    /// Tenants that hold something or wait.
    tenants: HashMap<TenantId, Tenant>,
    /// Tenants that wait and may hold more, in the order of their turns. One that has given up stays until it is met.
    turns: VecDeque<TenantId>,
}

impl State {
    pub(super) fn usage(&self) -> FairUse {
        FairUse { used: self.used, waiting: self.waiting }
    }

    #[cfg(test)]
    pub(super) fn is_idle(&mut self) -> bool {
        !self.somebody_waits_for_room() && self.tenants.is_empty()
    }

    pub(super) fn enter(
        &mut self,
        limits: &FairLimits,
        tenant: TenantId,
        units: usize,
    ) -> Result<Entered, Busy> {
        if units > limits.each.min(limits.units) {
            return Err(Busy::TooMuch);
        }
        if self.try_enter(limits, tenant, units) {
            return Ok(Entered::Served);
        }
        let entry = self.tenants.entry(tenant).or_default();
        if entry.queue.len() >= limits.waiting {
            self.tidy(tenant);
            return Err(Busy::QueueFull);
        }
        let (grant, granted) = oneshot::channel();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        entry.queue.push_back(Waiter { ticket, units, granted: grant });
        self.waiting += 1;
        self.line_up(limits, tenant);
        // one that holds less goes before a large request of one that holds more
        self.serve(limits);
        Ok(Entered::Queued { ticket, granted })
    }

    /// Serves a request that nobody has to stand behind.
    pub(super) fn try_enter(&mut self, limits: &FairLimits, tenant: TenantId, units: usize) -> bool {
        let free = limits.units.saturating_sub(self.used);
        let (held, waits) =
            self.tenants.get(&tenant).map_or((0, false), |entry| (entry.held, !entry.queue.is_empty()));
        let nobody_ahead = !waits && !self.somebody_waits_for_room();
        if units > free || held + units > limits.each || !nobody_ahead {
            return false;
        }
        self.used += units;
        self.tenants.entry(tenant).or_default().held += units;
        true
    }

    /// Takes back what was held, and serves those whose turn it is.
    pub(super) fn leave(&mut self, limits: &FairLimits, tenant: TenantId, units: usize) {
        self.used = self.used.saturating_sub(units);
        if let Some(entry) = self.tenants.get_mut(&tenant) {
            entry.held = entry.held.saturating_sub(units);
        }
        self.line_up(limits, tenant);
        self.serve(limits);
        self.tidy(tenant);
    }

    /// Takes a waiting request out of the queue; false if it isn't there any more.
    pub(super) fn give_up(&mut self, limits: &FairLimits, tenant: TenantId, ticket: u64) -> bool {
        let Some(entry) = self.tenants.get_mut(&tenant) else { return false };
        let Some(at) = entry.queue.iter().position(|waiter| waiter.ticket == ticket) else { return false };
        entry.queue.remove(at);
        self.waiting -= 1;
        // it may have been a large one that all others waited for
        self.line_up(limits, tenant);
        self.serve(limits);
        self.tidy(tenant);
        true
    }

    /// Whether a tenant waits that may hold more: then there is no room, or it would have been served.
    fn somebody_waits_for_room(&mut self) -> bool {
        while let Some(first) = self.turns.front().copied() {
            if self.tenants.get(&first).is_some_and(|entry| !entry.queue.is_empty()) {
                return true;
            }
            self.turns.pop_front();
            if let Some(entry) = self.tenants.get_mut(&first) {
                entry.in_turns = false;
            }
            self.tidy(first);
        }
        false
    }

    /// Puts a tenant that waits, and may hold more, at the end of the turns.
    fn line_up(&mut self, limits: &FairLimits, tenant: TenantId) {
        let Some(entry) = self.tenants.get_mut(&tenant) else { return };
        let fits = entry.queue.front().is_some_and(|first| entry.held + first.units <= limits.each);
        if fits && !entry.in_turns {
            entry.in_turns = true;
            self.turns.push_back(tenant);
        }
    }

    /// Hands out what is free, turn by turn.
    fn serve(&mut self, limits: &FairLimits) {
        while let Some(at) = self.next_turn() {
            let Some(tenant) = self.turns.get(at).copied() else { return };
            let Some(entry) = self.tenants.get_mut(&tenant) else { return };
            let Some(first) = entry.queue.front() else { return };
            // the one before it has given up, and this one is too much beside what its tenant holds
            if entry.held + first.units > limits.each {
                self.turns.remove(at);
                entry.in_turns = false;
                continue;
            }
            // nobody overtakes one that needs more than there is: it would wait for ever
            if self.used + first.units > limits.units {
                return;
            }
            self.turns.remove(at);
            entry.in_turns = false;
            let Some(waiter) = entry.queue.pop_front() else { return };
            self.waiting -= 1;
            self.used += waiter.units;
            entry.held += waiter.units;
            // a receiver that is gone takes it back itself: its place is dropped after this lock
            _ = waiter.granted.send(());
            self.line_up(limits, tenant);
        }
    }

    /// The place in `turns` of the tenant that is served next: of the next few the one that holds the least.
    fn next_turn(&mut self) -> Option<usize> {
        if !self.somebody_waits_for_room() {
            return None;
        }
        let held = |tenant: &TenantId| self.tenants.get(tenant).filter(|entry| !entry.queue.is_empty());
        self.turns
            .iter()
            .take(LOOK)
            .enumerate()
            .filter_map(|(at, tenant)| held(tenant).map(|entry| (entry.held, at)))
            .min()
            .map(|(_, at)| at)
    }

    /// Forgets a tenant that has nothing to do with it any more.
    fn tidy(&mut self, tenant: TenantId) {
        let idle = |entry: &Tenant| entry.held == 0 && entry.queue.is_empty() && !entry.in_turns;
        if self.tenants.get(&tenant).is_some_and(idle) {
            self.tenants.remove(&tenant);
        }
    }
}
