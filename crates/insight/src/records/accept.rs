//! Into the journal.

use std::time::Duration;

use loam_journal::{AppendError, Journal, Position};
use loam_kernel::{Error, Kind, Result};

use crate::service::Insight;
use crate::trace::{self, Part, RECORDS};

/// What a sender is told to wait while the journal is full.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl Insight {
    /// Keeps what an application told; answers when it is durable.
    ///
    /// # Errors
    /// When the journal is full or the disk fails: then the application may send it again, as what is told twice counts
    /// once.
    pub(crate) async fn accept(&self, parts: &[Part]) -> Result<()> {
        let journal = self.0.journal.as_ref().ok_or_else(unavailable)?;
        let mut last = None;
        for part in parts {
            last = Some(append_part(journal, part)?);
        }
        match last {
            Some(position) => journal.durable(position).await.map_err(|e| unavailable().with_source(e)),
            None => Ok(()),
        }
    }
}

fn append_part(journal: &Journal, part: &Part) -> Result<Position> {
    let payload = trace::write(part)?;
    let key = trace::tree_id(part.project, &part.trace_id, &payload, chrono::DateTime::UNIX_EPOCH);
    append(journal, RECORDS, key.0.into_bytes(), &payload)
}

/// Writes a frame. It is durable with the next sync.
pub(crate) fn append(journal: &Journal, kind: u8, key: [u8; 16], payload: &[u8]) -> Result<Position> {
    journal.append(kind, key, &[payload]).map_err(|e| match e {
        AppendError::TooLarge { .. } => {
            Error::new(Kind::TooLarge, "trace_too_large", "a trace is larger than what is taken")
        }
        e => unavailable().with_source(e),
    })
}

/// The answer while the journal takes nothing.
pub(crate) fn unavailable() -> Error {
    let message = "telemetry can't be kept at the moment; send it again later";
    Error::unavailable("journal_full", message, RETRY_AFTER)
}
