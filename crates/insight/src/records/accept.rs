//! Into the journal.

use loam_journal::{AppendError, Journal, Position};
use loam_kernel::{Error, Kind, Result};

use crate::service::Insight;
use crate::trace::{self, Part, RECORDS};

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
            last = Some(append(journal, part)?);
        }
        match last {
            Some(position) => journal.durable(position).await.map_err(|e| unavailable().with_source(e)),
            None => Ok(()),
        }
    }
}

fn append(journal: &Journal, part: &Part) -> Result<Position> {
    let payload = trace::write(part)?;
    let key = trace::tree_id(part.project, &part.trace_id, &payload, chrono::DateTime::UNIX_EPOCH);
    journal.append(RECORDS, key.0.into_bytes(), &[&payload]).map_err(|e| match e {
        AppendError::TooLarge { .. } => {
            Error::new(Kind::TooLarge, "trace_too_large", "a trace is larger than what is taken")
        }
        e => unavailable().with_source(e),
    })
}

fn unavailable() -> Error {
    Error::new(
        Kind::Unavailable,
        "journal_full",
        "telemetry can't be kept at the moment; send it again later",
    )
}
