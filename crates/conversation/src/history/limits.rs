//! Limits on concurrent imports and on the memory of their files.

use std::time::Duration;

use loam_kernel::{Error, FairLimits, FairPermit, FairShare, Kind, Result, TenantId};

/// Concurrent imports in all, and of one tenant. They wait for their clients most of the time.
const MAX_IMPORTS: usize = 16;
const MAX_PER_TENANT: usize = 2;
/// Imports of one tenant that may wait for a slot, and for how long.
const MAX_WAITING: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(2);
/// Memory for atomic imports, in MiB; they are held in memory as a whole. One tenant may use at most half.
const MEMORY: usize = 128;
const MEBIBYTE: usize = 1 << 20;
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The limits shared by all imports.
pub(crate) struct ImportLimits {
    slots: FairShare,
    memory: FairShare,
}

/// The memory that one import holds.
pub(super) struct Memory<'a> {
    share: &'a FairShare,
    tenant: TenantId,
    held: Vec<FairPermit>,
}

impl ImportLimits {
    pub(crate) fn new() -> Self {
        let slots =
            FairLimits { units: MAX_IMPORTS, each: MAX_PER_TENANT, waiting: MAX_WAITING, timeout: TIMEOUT };
        // Half of it is one file of the maximum size.
        let memory = FairLimits { units: MEMORY, each: MEMORY / 2 + 1, waiting: 0, timeout: Duration::ZERO };
        Self { slots: FairShare::new(slots), memory: FairShare::new(memory) }
    }

    /// Waits for a slot for an import of a tenant.
    pub(super) async fn acquire_slot(&self, tenant: TenantId) -> Result<FairPermit> {
        self.slots.acquire(tenant).await.map_err(|_| busy())
    }

    /// A memory reservation for an import, initially empty.
    pub(super) fn memory(&self, tenant: TenantId) -> Memory<'_> {
        Memory { share: &self.memory, tenant, held: Vec::new() }
    }
}

impl Memory<'_> {
    /// Grows the reservation to at least this many bytes.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<()> {
        while self.held.len() * MEBIBYTE < bytes {
            self.held.push(self.share.try_acquire(self.tenant).ok_or_else(busy)?);
        }
        Ok(())
    }
}

fn busy() -> Error {
    let message = "too many imports are in progress; try again later";
    Error::new(Kind::TooMany, "import_busy", message).with_retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_tenant_can_not_use_all_memory() {
        let (imports, tenant) = (ImportLimits::new(), |n| TenantId(Uuid::from_u128(n)));
        let mut first = imports.memory(tenant(1));
        first.hold(64 * MEBIBYTE).expect("a file of the maximum size");
        assert_eq!(imports.memory(tenant(1)).hold(2 * MEBIBYTE).map_err(|e| e.code()), Err("import_busy"));
        let mut second = imports.memory(tenant(2));
        second.hold(60 * MEBIBYTE).expect("another tenant's");
        drop(first);
        imports.memory(tenant(1)).hold(64 * MEBIBYTE).expect("the memory was released");
    }
}
