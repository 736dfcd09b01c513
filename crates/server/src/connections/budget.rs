//! How much memory the bodies of requests may take while they come in: all together, and each tenant's.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use loam_http::surface::BodyRefused;
use loam_kernel::TenantId;

/// Tenants share these by a hash that nobody can foresee. Two that meet in one have one share between them: that takes
/// neither a lock nor an allocation for each request.
const SLOTS: usize = 1024;

/// Whom the bytes of a body count for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Who has no credential: the number of their connections and the size of their bodies are bounded enough.
    Nobody,
    /// Events of channels, which show whom they are from by a signature over the whole body.
    Events,
    /// A tenant, by its slot.
    Tenant(usize),
}

/// Bytes of bodies that are in memory, and how many may be.
pub(crate) struct Budget {
    most: usize,
    used: AtomicUsize,
    events: AtomicUsize,
    tenants: Box<[AtomicUsize]>,
    hasher: RandomState,
}

impl Budget {
    /// A tenant may take half of it, events of channels an eighth.
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
            Share::Nobody => None,
            Share::Events => Some((&self.events, self.most / 8)),
            Share::Tenant(slot) => self.tenants.get(slot).map(|used| (used, self.most / 2)),
        }
    }

    /// Takes so many bytes whether or not they are left: of little, and of what nobody in particular sends, there is never so
    /// much that it would have to be refused for what others send.
    pub(super) fn take_anyway(&self, share: Share, bytes: usize) {
        if let Some((used, _)) = self.of(share) {
            used.fetch_add(bytes, Ordering::Relaxed);
        }
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes so many bytes, if they are left.
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

    /// Bytes that are in memory now.
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
        budget.take_anyway(Share::Nobody, 1);
        assert_eq!(budget.used(), 1001);
        for (share, bytes) in [(one, 500), (other, 400), (Share::Events, 100), (Share::Nobody, 1)] {
            budget.give_back(share, bytes);
        }
        assert_eq!(budget.used(), 0, "what was refused was not counted");
        budget.take(one, 500).expect("its own again");
        assert!(matches!(budget.share(TenantId::NIL), Share::Tenant(slot) if slot < SLOTS));
    }
}
