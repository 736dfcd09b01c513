//! Fair sharing of limited resources among tenants.
//!
//! A semaphore is first come, first served: a tenant with a thousand requests is served a thousand times before the
//! next tenant. A [`FairShare`] goes round the waiting tenants instead, and limits what one tenant holds.

mod blocking;
mod state;
#[cfg(test)]
mod tests;
mod threads;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use crate::TenantId;
pub use blocking::{run_blocking_limited, run_blocking_without_timeout};
use state::{Admission, State};

/// Limits of a [`FairShare`].
#[derive(Clone, Copy, Debug)]
pub struct FairLimits {
    /// Units in total: connections, threads, bytes.
    pub units: usize,
    /// Units that one tenant may hold, even if no other tenant waits. Less than `units` where units are held for long,
    /// so that some are left for a new tenant.
    pub each: usize,
    /// Maximum number of waiting requests per tenant.
    pub waiting: usize,
    /// Maximum time that a request waits.
    pub timeout: Duration,
}

/// Why no unit was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// The tenant's queue is full.
    QueueFull,
    /// No unit became free in time.
    TimedOut,
    /// The request is for more units than one tenant may hold.
    TooMuch,
}

/// Usage of a [`FairShare`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FairUse {
    /// Units in use.
    pub used: usize,
    /// Waiting requests.
    pub waiting: usize,
}

/// A limited number of units that are granted to tenants in turn. Cheap to clone.
///
/// A free unit goes to the waiting tenant that holds the fewest units, and among equals to the one that has waited
/// longest. Requests of one tenant are served in their order of arrival.
#[derive(Clone, Debug)]
pub struct FairShare(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: FairLimits,
    state: Mutex<State>,
}

/// Granted units. When it is dropped, they go to the next waiting tenant.
#[derive(Debug)]
#[must_use = "dropping the permit returns its units"]
pub struct FairPermit {
    share: FairShare,
    tenant: TenantId,
    units: usize,
}

/// A slot in the queue; it is removed when the waiting future is dropped.
struct QueueSlot<'a> {
    share: &'a FairShare,
    tenant: TenantId,
    ticket: u64,
    units: usize,
    served: bool,
}

impl FairShare {
    /// A share without any granted unit.
    #[must_use]
    pub fn new(limits: FairLimits) -> Self {
        Self(Arc::new(Inner { limits, state: Mutex::default() }))
    }

    /// Waits for one unit.
    ///
    /// # Errors
    /// [`Busy`] is the reason. Dropping the future removes the request from the queue.
    pub async fn acquire(&self, tenant: TenantId) -> Result<FairPermit, Busy> {
        self.acquire_many(tenant, 1).await
    }

    /// Waits for several units, which are granted together.
    ///
    /// # Errors
    /// As [`FairShare::acquire`].
    pub async fn acquire_many(&self, tenant: TenantId, units: usize) -> Result<FairPermit, Busy> {
        let admission = self.enter(&self.0.limits, tenant, units)?;
        if matches!(admission, Admission::Served) {
            return Ok(self.permit(tenant, units));
        }
        timeout(self.0.limits.timeout, self.wait_until_granted(admission, tenant, units))
            .await
            .map_err(|_| Busy::TimedOut)
    }

    /// Waits for one unit without a timeout and without a limit on the queue: for work that was accepted already, which
    /// bounds its number.
    pub async fn acquire_without_timeout(&self, tenant: TenantId) -> FairPermit {
        let endless = FairLimits { waiting: usize::MAX, ..self.0.limits };
        match self.enter(&endless, tenant, 1) {
            Ok(admission) => self.wait_until_granted(admission, tenant, 1).await,
            // a share with `each` = 0 grants an empty permit
            Err(_) => self.permit(tenant, 0),
        }
    }

    /// Takes one unit if one is free and no other tenant waits for it.
    #[must_use]
    pub fn try_acquire(&self, tenant: TenantId) -> Option<FairPermit> {
        self.try_acquire_many(tenant, 1)
    }

    /// Takes several units if they are free and no other tenant waits for them.
    #[must_use]
    pub fn try_acquire_many(&self, tenant: TenantId, units: usize) -> Option<FairPermit> {
        let served = self.lock().try_enter(&self.0.limits, tenant, units);
        served.then(|| self.permit(tenant, units))
    }

    /// Current usage.
    #[must_use]
    pub fn usage(&self) -> FairUse {
        self.lock().usage()
    }

    fn enter(&self, limits: &FairLimits, tenant: TenantId, units: usize) -> Result<Admission, Busy> {
        self.lock().enter(limits, tenant, units)
    }

    async fn wait_until_granted(&self, admission: Admission, tenant: TenantId, units: usize) -> FairPermit {
        if let Admission::Queued { ticket, granted } = admission {
            let mut slot = QueueSlot { share: self, tenant, ticket, units, served: false };
            // the sender is dropped only with the grant or with the slot
            _ = granted.await;
            slot.served = true;
        }
        self.permit(tenant, units)
    }

    fn permit(&self, tenant: TenantId, units: usize) -> FairPermit {
        FairPermit { share: self.clone(), tenant, units }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FairPermit {
    /// The tenant that holds it.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl Drop for FairPermit {
    fn drop(&mut self) {
        self.share.lock().leave(&self.share.0.limits, self.tenant, self.units);
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        if self.served {
            return;
        }
        let limits = &self.share.0.limits;
        let mut state = self.share.lock();
        // not in the queue any more: it was granted while the future was being dropped, so the units go back
        if !state.give_up(limits, self.tenant, self.ticket) {
            state.leave(limits, self.tenant, self.units);
        }
    }
}
