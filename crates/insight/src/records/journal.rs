//! Writes trace chunks to the journal.

use std::time::Duration;

use loam_journal::{AppendError, Journal, Owner, Position};
use loam_kernel::{Error, Kind, Result, TenantId, run_blocking_limited};

use crate::ingest::Ingest;
use crate::trace::{self, RECORDS, TraceChunk};

/// `Retry-After` while the journal is unavailable.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Up to this number of spans are packed on the async thread; more would block other requests.
const MAX_INLINE_SPANS: usize = 500;

/// A chunk as it is written to the journal.
struct EncodedChunk {
    key: [u8; 16],
    payload: Vec<u8>,
}

impl Ingest {
    /// Writes chunks to the journal and returns when they are durable.
    ///
    /// # Errors
    /// If the journal is full or the disk fails. The application can then resend them, since duplicates are counted
    /// once.
    pub(crate) async fn journal_chunks(&self, chunks: Vec<TraceChunk>) -> Result<()> {
        let journal = self.0.journal.as_ref().ok_or_else(unavailable)?;
        let is_small = chunks.iter().map(|chunk| chunk.spans.len()).sum::<usize>() <= MAX_INLINE_SPANS;
        let tenant = chunks.first().map_or(TenantId::NIL, |chunk| chunk.tenant);
        let encoded = if is_small {
            encode(&chunks)?
        } else {
            run_blocking_limited(tenant, move || encode(&chunks)).await??
        };
        let mut last = None;
        for EncodedChunk { key, payload } in encoded {
            last = Some(append(journal, tenant, RECORDS, key, &payload)?);
        }
        match last {
            Some(position) => journal.durable(position).await.map_err(|e| unavailable().with_source(e)),
            None => Ok(()),
        }
    }
}

fn encode(chunks: &[TraceChunk]) -> Result<Vec<EncodedChunk>> {
    let encode = |chunk: &TraceChunk| {
        let payload = trace::encode_frame(chunk)?;
        let key = trace::tree_id(chunk.project, &chunk.trace_id, &payload, chrono::DateTime::UNIX_EPOCH);
        Ok(EncodedChunk { key: key.0.into_bytes(), payload })
    };
    chunks.iter().map(encode).collect()
}

/// Appends a frame. It is durable with the next sync.
pub(crate) fn append(
    journal: &Journal,
    tenant: TenantId,
    kind: u8,
    key: [u8; 16],
    payload: &[u8],
) -> Result<Position> {
    let owner = Owner { id: tenant.0.into_bytes(), bounded: true };
    journal.append_for(owner, kind, key, &[payload]).map_err(|e| match e {
        AppendError::TooLarge { .. } => Error::new(
            Kind::TooLarge,
            "trace_too_large",
            "the trace is too large for a journal frame; send fewer calls per request",
        ),
        e => unavailable().with_source(e),
    })
}

/// The error while the journal accepts no frames.
pub(crate) fn unavailable() -> Error {
    let message = "telemetry can't be stored at the moment; retry later";
    Error::unavailable("journal_full", message, RETRY_AFTER)
}
