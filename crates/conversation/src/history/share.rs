//! How many import at once, and what their files may take of the memory.

use std::time::Duration;

use loam_kernel::{Error, FairLimits, FairPermit, FairShare, Kind, Result, TenantId};

/// Imports at once, and of one tenant. They wait for their clients most of the time.
const AT_ONCE: usize = 16;
const EACH: usize = 2;
/// Imports of one tenant that wait for a place, and how long.
const WAITING: usize = 4;
const PATIENCE: Duration = Duration::from_secs(2);
/// Mebibytes of atomic imports, which are held in memory as a whole; one tenant has at most half.
const MEMORY: usize = 128;
const MEBIBYTE: usize = 1 << 20;
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What imports share.
pub(crate) struct Imports {
    places: FairShare,
    memory: FairShare,
}

/// The memory that one import has.
pub(super) struct Memory<'a> {
    share: &'a FairShare,
    tenant: TenantId,
    held: Vec<FairPermit>,
}

impl Imports {
    pub(crate) fn new() -> Self {
        let places = FairLimits { units: AT_ONCE, each: EACH, waiting: WAITING, patience: PATIENCE };
        // half of it is one file as large as may be
        let memory = FairLimits { units: MEMORY, each: MEMORY / 2 + 1, waiting: 0, patience: Duration::ZERO };
        Self { places: FairShare::new(places), memory: FairShare::new(memory) }
    }

    /// A place for an import of a tenant.
    pub(super) async fn enter(&self, tenant: TenantId) -> Result<FairPermit> {
        self.places.acquire(tenant).await.map_err(|_| busy())
    }

    /// Memory for an import, which holds none yet.
    pub(super) fn memory(&self, tenant: TenantId) -> Memory<'_> {
        Memory { share: &self.memory, tenant, held: Vec::new() }
    }
}

impl Memory<'_> {
    /// Sees to it that so many bytes are held in all.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<()> {
        while self.held.len() * MEBIBYTE < bytes {
            self.held.push(self.share.try_acquire(self.tenant).ok_or_else(busy)?);
        }
        Ok(())
    }
}

fn busy() -> Error {
    let message = "other imports are under way; try again";
    Error::new(Kind::TooMany, "import_busy", message).with_retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_tenants_files_leave_memory_to_the_others() {
        let (imports, tenant) = (Imports::new(), |n| TenantId(Uuid::from_u128(n)));
        let mut first = imports.memory(tenant(1));
        first.hold(64 * MEBIBYTE).expect("a file as large as may be");
        assert_eq!(imports.memory(tenant(1)).hold(2 * MEBIBYTE).map_err(|e| e.code()), Err("import_busy"));
        let mut second = imports.memory(tenant(2));
        second.hold(60 * MEBIBYTE).expect("another tenant's");
        drop(first);
        imports.memory(tenant(1)).hold(64 * MEBIBYTE).expect("it came back");
    }
}
