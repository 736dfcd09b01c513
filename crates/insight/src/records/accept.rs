//! Into the journal.

use std::time::Duration;

use loam_journal::{AppendError, Journal, Owner, Position};
use loam_kernel::{Error, Kind, Result, TenantId, run_blocking_limited};

use crate::service::Insight;
use crate::trace::{self, Part, RECORDS};

/// When to send again what could not be kept.
const AGAIN: Duration = Duration::from_secs(5);
/// Calls that are packed where they arrive; more would keep other requests waiting.
const FEW: usize = 500;

/// A part as the journal keeps it.
struct Packed {
    key: [u8; 16],
    payload: Vec<u8>,
}

impl Insight {
    /// Keeps what an application told; answers when it is durable.
    ///
    /// # Errors
    /// When the journal is full or the disk fails: then the application may send it again, as what is told twice counts
    /// once.
    pub(crate) async fn accept(&self, parts: Vec<Part>) -> Result<()> {
        let journal = self.0.journal.as_ref().ok_or_else(unavailable)?;
        let is_small = parts.iter().map(|part| part.calls.len()).sum::<usize>() <= FEW;
        let tenant = parts.first().map_or(TenantId::NIL, |part| part.tenant);
        let packed = if is_small {
            pack(&parts)?
        } else {
            run_blocking_limited(tenant, move || pack(&parts)).await??
        };
        let mut last = None;
        for Packed { key, payload } in packed {
            last = Some(append(journal, tenant, RECORDS, key, &payload)?);
        }
        match last {
            Some(position) => journal.durable(position).await.map_err(|e| unavailable().with_source(e)),
            None => Ok(()),
        }
    }
}

fn pack(parts: &[Part]) -> Result<Vec<Packed>> {
    let pack = |part: &Part| {
        let payload = trace::write(part)?;
        let key = trace::tree_id(part.project, &part.trace_id, &payload, chrono::DateTime::UNIX_EPOCH);
        Ok(Packed { key: key.0.into_bytes(), payload })
    };
    parts.iter().map(pack).collect()
}

/// Writes a frame. It is durable with the next sync.
pub(crate) fn append(
    journal: &Journal,
    tenant: TenantId,
    kind: u8,
    key: [u8; 16],
    payload: &[u8],
) -> Result<Position> {
    let owner = Owner { id: tenant.0.into_bytes(), bounded: true };
    journal.append_for(owner, kind, key, &[payload]).map_err(|e| match e {
        AppendError::TooLarge { .. } => {
            Error::new(Kind::TooLarge, "trace_too_large", "a trace is larger than what is taken")
        }
        e => unavailable().with_source(e),
    })
}

/// The answer while the journal takes nothing.
pub(crate) fn unavailable() -> Error {
    let message = "telemetry can't be kept at the moment; send it again later";
    Error::unavailable("journal_full", message, AGAIN)
}
