//! The memory budget for request bodies that are being received, in total and per tenant.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use loam_http::surface::BodyRefused;
use loam_kernel::TenantId;

/// Tenants are mapped to slots by a randomly keyed hash; two tenants in one slot share its budget. This needs neither a
/// lock nor an allocation per request.
const SLOTS: usize = 1024;

/// The budget that a body is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Unauthenticated requests, which are limited by the number of connections and the size of their bodies.
    Unauthenticated,
    /// Events of channels, which are authenticated by a signature over the whole body.
    Events,
    /// A tenant, by its slot.
    Tenant(usize),
}

/// Bytes of request bodies in memory, with their limits.
pub(crate) struct Budget {
    most: usize,
    used: AtomicUsize,
    events: AtomicUsize,
    tenants: Box<[AtomicUsize]>,
    hasher: RandomState,
}

impl Budget {
    /// A tenant may use half of the budget, events of channels an eighth.
    pub(crate) fn new(most: usize) -> Self {
        let tenants = (0..SLOTS).map(|_| AtomicUsize::new(0)).collect();
        Self {
            most,
            used: AtomicUsize::new(0),
            events: AtomicUsize::new(0),
            tenants,
            hasher: RandomState::new(),
        }
    }

    /// The share of a tenant.
    pub(crate) fn share(&self, tenant: TenantId) -> Share {
        let hash = self.hasher.hash_one(tenant);
        Share::Tenant(usize::try_from(hash % SLOTS as u64).unwrap_or_default())
    }

    fn of(&self, share: Share) -> Option<(&AtomicUsize, usize)> {
        match share {
            Share::Unauthenticated => None,
            Share::Events => Some((&self.events, self.most / 8)),
            Share::Tenant(slot) => self.tenants.get(slot).map(|used| (used, self.most / 2)),
        }
    }

    /// Charges bytes even beyond the budget: for small bodies and unauthenticated requests, whose total is bounded anyway.
    pub(super) fn take_unconditionally(&self, share: Share, bytes: usize) {
        if let Some((used, _)) = self.of(share) {
            used.fetch_add(bytes, Ordering::Relaxed);
        }
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Charges bytes, if the budget has them left.
    pub(super) fn take(&self, share: Share, bytes: usize) -> Result<(), BodyRefused> {
        let own = self.of(share);
        if let Some((used, most)) = own
            && used.fetch_add(bytes, Ordering::Relaxed) + bytes > most
        {
            used.fetch_sub(bytes, Ordering::Relaxed);
            let refused =
                if share == Share::Events { BodyRefused::ServerFull } else { BodyRefused::TenantFull };
            return Err(refused);
        }
        if self.used.fetch_add(bytes, Ordering::Relaxed) + bytes > self.most {
            self.give_back(share, bytes);
            return Err(BodyRefused::ServerFull);
        }
        Ok(())
    }

    pub(super) fn give_back(&self, share: Share, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some((used, _)) = self.of(share) {
            used.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Bytes in memory now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_can_not_take_it_all() {
        let budget = Budget::new(1000);
        let (one, other) = (Share::Tenant(1), Share::Tenant(2));
        budget.take(one, 500).expect("half of it");
        assert_eq!(budget.take(one, 1), Err(BodyRefused::TenantFull));
        budget.take(other, 400).expect("there is more");
        budget.take(Share::Events, 100).expect("the rest");
        assert_eq!(budget.take(other, 1), Err(BodyRefused::ServerFull));
        assert_eq!(budget.take(Share::Events, 26), Err(BodyRefused::ServerFull));
        budget.take_unconditionally(Share::Unauthenticated, 1);
        assert_eq!(budget.used(), 1001);
        for (share, bytes) in [(one, 500), (other, 400), (Share::Events, 100), (Share::Unauthenticated, 1)] {
            budget.give_back(share, bytes);
        }
        assert_eq!(budget.used(), 0, "what was refused was not counted");
        budget.take(one, 500).expect("its own again");
        assert!(matches!(budget.share(TenantId::NIL), Share::Tenant(slot) if slot < SLOTS));
    }
}
