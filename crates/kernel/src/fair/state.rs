//! Who holds units, who waits, and who is next. Nothing here waits.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::{Busy, FairLimits, FairUse};
use crate::TenantId;

/// How many of the next tenants are compared by the units they hold. More would take time under the lock.
const MAX_COMPARED: usize = 64;

/// How a request was admitted.
pub(super) enum Admission {
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
    /// Whether it is in `turns`.
    in_turns: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    used: usize,
    waiting: usize,
    next_ticket: u64,
    /// Tenants that hold something or wait.
    tenants: HashMap<TenantId, Tenant>,
    /// Tenants that wait and may hold more, in the order of their turns. A tenant without waiters is removed lazily.
    turns: VecDeque<TenantId>,
}

impl State {
    pub(super) fn usage(&self) -> FairUse {
        FairUse { used: self.used, waiting: self.waiting }
    }

    #[cfg(test)]
    pub(super) fn is_idle(&mut self) -> bool {
        !self.has_eligible_waiter() && self.tenants.is_empty()
    }

    pub(super) fn enter(
        &mut self,
        limits: &FairLimits,
        tenant: TenantId,
        units: usize,
    ) -> Result<Admission, Busy> {
        if units > limits.each.min(limits.units) {
            return Err(Busy::TooMuch);
        }
        if self.try_enter(limits, tenant, units) {
            return Ok(Admission::Served);
        }
        let entry = self.tenants.entry(tenant).or_default();
        if entry.queue.len() >= limits.waiting {
            self.remove_if_idle(tenant);
            return Err(Busy::QueueFull);
        }
        let (grant, granted) = oneshot::channel();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        entry.queue.push_back(Waiter { ticket, units, granted: grant });
        self.waiting += 1;
        self.enqueue_turn(limits, tenant);
        // a tenant that holds less is served before a large request of a tenant that holds more
        self.serve(limits);
        Ok(Admission::Queued { ticket, granted })
    }

    /// Grants a request immediately if no other tenant waits.
    pub(super) fn try_enter(&mut self, limits: &FairLimits, tenant: TenantId, units: usize) -> bool {
        let free = limits.units.saturating_sub(self.used);
        let (held, waits) =
            self.tenants.get(&tenant).map_or((0, false), |entry| (entry.held, !entry.queue.is_empty()));
        let nobody_ahead = !waits && !self.has_eligible_waiter();
        if units > free || held + units > limits.each || !nobody_ahead {
            return false;
        }
        self.used += units;
        self.tenants.entry(tenant).or_default().held += units;
        true
    }

    /// Returns units, and grants them to the next tenants.
    pub(super) fn leave(&mut self, limits: &FairLimits, tenant: TenantId, units: usize) {
        self.used = self.used.saturating_sub(units);
        if let Some(entry) = self.tenants.get_mut(&tenant) {
            entry.held = entry.held.saturating_sub(units);
        }
        self.enqueue_turn(limits, tenant);
        self.serve(limits);
        self.remove_if_idle(tenant);
    }

    /// Removes a waiting request from the queue; false if it is not there any more.
    pub(super) fn give_up(&mut self, limits: &FairLimits, tenant: TenantId, ticket: u64) -> bool {
        let Some(entry) = self.tenants.get_mut(&tenant) else { return false };
        let Some(at) = entry.queue.iter().position(|waiter| waiter.ticket == ticket) else { return false };
        entry.queue.remove(at);
        self.waiting -= 1;
        // it may have been a large request that blocked all others
        self.enqueue_turn(limits, tenant);
        self.serve(limits);
        self.remove_if_idle(tenant);
        true
    }

    /// Whether a tenant waits that may hold more: then no unit is free, or it would have been served.
    fn has_eligible_waiter(&mut self) -> bool {
        while let Some(first) = self.turns.front().copied() {
            if self.tenants.get(&first).is_some_and(|entry| !entry.queue.is_empty()) {
                return true;
            }
            self.turns.pop_front();
            if let Some(entry) = self.tenants.get_mut(&first) {
                entry.in_turns = false;
            }
            self.remove_if_idle(first);
        }
        false
    }

    /// Appends a tenant that waits, and may hold more, to `turns`.
    fn enqueue_turn(&mut self, limits: &FairLimits, tenant: TenantId) {
        let Some(entry) = self.tenants.get_mut(&tenant) else { return };
        let fits = entry.queue.front().is_some_and(|first| entry.held + first.units <= limits.each);
        if fits && !entry.in_turns {
            entry.in_turns = true;
            self.turns.push_back(tenant);
        }
    }

    /// Grants free units, turn by turn.
    fn serve(&mut self, limits: &FairLimits) {
        while let Some(at) = self.next_turn() {
            let Some(tenant) = self.turns.get(at).copied() else { return };
            let Some(entry) = self.tenants.get_mut(&tenant) else { return };
            let Some(first) = entry.queue.front() else { return };
            // the waiter before it was removed, and this one exceeds the tenant's limit
            if entry.held + first.units > limits.each {
                self.turns.remove(at);
                entry.in_turns = false;
                continue;
            }
            // nobody overtakes a request that needs more units than are free: it would starve
            if self.used + first.units > limits.units {
                return;
            }
            self.turns.remove(at);
            entry.in_turns = false;
            let Some(waiter) = entry.queue.pop_front() else { return };
            self.waiting -= 1;
            self.used += waiter.units;
            entry.held += waiter.units;
            // a dropped receiver returns the units itself: its slot is dropped after this lock
            _ = waiter.granted.send(());
            self.enqueue_turn(limits, tenant);
        }
    }

    /// The index in `turns` of the tenant to serve next: among the first few, the one that holds the fewest units.
    fn next_turn(&mut self) -> Option<usize> {
        if !self.has_eligible_waiter() {
            return None;
        }
        let held = |tenant: &TenantId| self.tenants.get(tenant).filter(|entry| !entry.queue.is_empty());
        self.turns
            .iter()
            .take(MAX_COMPARED)
            .enumerate()
            .filter_map(|(at, tenant)| held(tenant).map(|entry| (entry.held, at)))
            .min()
            .map(|(_, at)| at)
    }

    /// Removes a tenant that neither holds units nor waits.
    fn remove_if_idle(&mut self, tenant: TenantId) {
        let idle = |entry: &Tenant| entry.held == 0 && entry.queue.is_empty() && !entry.in_turns;
        if self.tenants.get(&tenant).is_some_and(idle) {
            self.tenants.remove(&tenant);
        }
    }
}
