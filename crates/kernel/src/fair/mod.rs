//! Sharing what is scarce among tenants.
//!
//! A semaphore serves whoever came first, so one tenant that asks a thousand times is served a thousand times before
//! the next. A [`FairShare`] goes round the tenants that wait instead, whatever each of them has waiting, and may keep
//! a tenant from holding more than its share for as long as it likes.

mod beside;
mod state;
#[cfg(test)]
mod tests;
mod threads;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use crate::TenantId;
pub use beside::{beside, beside_patiently};
use state::{Entered, State};

/// How a [`FairShare`] divides what it has.
#[derive(Clone, Copy, Debug)]
pub struct FairLimits {
    /// Units that are handed out at once: connections, threads, bytes.
    pub units: usize,
    /// Units that one tenant may hold, though nobody else waits. Less than `units` where they are held for long, so
    /// that a newcomer finds some; the same where they come back soon.
    pub each: usize,
    /// Requests of one tenant that may wait.
    pub waiting: usize,
    /// How long a request waits.
    pub patience: Duration,
}

/// Why nothing was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// As many requests of the tenant wait already as may.
    QueueFull,
    /// Nothing came free in time.
    TimedOut,
    /// More was asked for than one tenant may ever hold.
    TooMuch,
}

/// How much of a [`FairShare`] is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FairUse {
    /// Units handed out.
    pub used: usize,
    /// Requests that wait.
    pub waiting: usize,
}

/// Units of something scarce that are handed out to tenants in turn. Cheap to clone.
///
/// Whenever a unit is free it goes to the waiting tenant that holds the fewest; among those that hold the same to the
/// one that has waited longest for its turn. Requests of one tenant are served in the order in which they came.
#[derive(Clone, Debug)]
pub struct FairShare(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: FairLimits,
    state: Mutex<State>,
}

/// Units that are held. Dropped, they go to the next in turn.
#[derive(Debug)]
#[must_use = "what is held comes back as soon as this is dropped"]
pub struct FairPermit {
    share: FairShare,
    tenant: TenantId,
    units: usize,
}

/// A place in the queue, given up when the future that waits is dropped.
struct Place<'a> {
    share: &'a FairShare,
    tenant: TenantId,
    ticket: u64,
    units: usize,
    served: bool,
}

impl FairShare {
    /// Nobody holds anything yet.
    #[must_use]
    pub fn new(limits: FairLimits) -> Self {
        Self(Arc::new(Inner { limits, state: Mutex::default() }))
    }

    /// Waits for one unit.
    ///
    /// # Errors
    /// [`Busy`] says why there is none. Dropping the future gives the place in the queue up.
    pub async fn acquire(&self, tenant: TenantId) -> Result<FairPermit, Busy> {
        self.acquire_many(tenant, 1).await
    }

    /// Waits for several units, which come together.
    ///
    /// # Errors
    /// As [`FairShare::acquire`].
    pub async fn acquire_many(&self, tenant: TenantId, units: usize) -> Result<FairPermit, Busy> {
        let entered = self.enter(&self.0.limits, tenant, units)?;
        if matches!(entered, Entered::Served) {
            return Ok(self.permit(tenant, units));
        }
        timeout(self.0.limits.patience, self.served(entered, tenant, units)).await.map_err(|_| Busy::TimedOut)
    }

    /// Waits for one unit for as long as it takes, however many wait: for what has been accepted already, and is bounded
    /// by that.
    pub async fn acquire_patiently(&self, tenant: TenantId) -> FairPermit {
        let endless = FairLimits { waiting: usize::MAX, ..self.0.limits };
        match self.enter(&endless, tenant, 1) {
            Ok(entered) => self.served(entered, tenant, 1).await,
            // a share of which nobody may hold anything holds up nobody
            Err(_) => self.permit(tenant, 0),
        }
    }

    /// Takes one unit if there is one now that nobody else waits for.
    #[must_use]
    pub fn try_acquire(&self, tenant: TenantId) -> Option<FairPermit> {
        self.try_acquire_many(tenant, 1)
    }

    /// Takes several units if they are there now and nobody else waits for them.
    #[must_use]
    pub fn try_acquire_many(&self, tenant: TenantId, units: usize) -> Option<FairPermit> {
        let served = self.lock().try_enter(&self.0.limits, tenant, units);
        served.then(|| self.permit(tenant, units))
    }

    /// How much is used.
    #[must_use]
    pub fn usage(&self) -> FairUse {
        self.lock().usage()
    }

    fn enter(&self, limits: &FairLimits, tenant: TenantId, units: usize) -> Result<Entered, Busy> {
        self.lock().enter(limits, tenant, units)
    }

    async fn served(&self, entered: Entered, tenant: TenantId, units: usize) -> FairPermit {
        if let Entered::Queued { ticket, granted } = entered {
            let mut place = Place { share: self, tenant, ticket, units, served: false };
            // the sender goes only with the unit, or with the place
            _ = granted.await;
            place.served = true;
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
    /// Whose it is.
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

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.served {
            return;
        }
        let limits = &self.share.0.limits;
        let mut state = self.share.lock();
        // no longer in the queue, it has been served in the very moment in which nobody wanted it any more
        if !state.give_up(limits, self.tenant, self.ticket) {
            state.leave(limits, self.tenant, self.units);
        }
    }
}
