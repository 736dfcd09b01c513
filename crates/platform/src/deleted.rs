//! Overwrites deleted data on disk: in the journal's files and in the database's.

use std::time::Duration;

use loam_db::{Db, Overwritten};
use loam_journal::{Journal, Position};
use loam_kernel::Result;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the journal's progress is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Interval at which the request is repeated, as the journal drops it when the disk fails.
const REQUEST_INTERVAL: Duration = Duration::from_secs(2);

/// The result of overwriting deleted content, for a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedContent {
    /// This node's journal; none in a process without one.
    pub journal: Option<OverwrittenJournal>,
    /// The database.
    pub database: Overwritten,
}

/// The result in a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverwrittenJournal {
    /// Whether everything that was written before the request is overwritten with zeros.
    pub complete: bool,
    /// The position up to which nothing is left in its files.
    pub overwritten_to: u64,
    /// Files that were set aside as damaged at a start, for an operator to delete: `bad-…` in the journal's folder.
    pub set_aside: Vec<String>,
}

impl DeletedContent {
    /// Whether everything that Loam can overwrite is overwritten.
    pub fn complete(&self) -> bool {
        self.database.complete && self.journal.as_ref().is_none_or(|journal| journal.complete)
    }
}

/// Overwrites what was deleted before the call: everything in the journal, once it is drained, then the deleted rows of
/// these tables (all if none is named). Waits for at most `timeout` for the drainer. Other nodes overwrite their journals
/// within their `journal.overwrite_seconds`.
///
/// # Errors
/// When the database is away. What could not be done within the patience is said in the answer.
pub async fn overwrite_deleted(
    db: &Db,
    journal: Option<&Journal>,
    tables: &[&str],
    timeout: Duration,
) -> Result<DeletedContent> {
    let journal = match journal {
        Some(journal) => Some(overwrite_journal(journal, timeout).await),
        None => None,
    };
    Ok(DeletedContent { journal, database: db.overwrite_deleted(tables).await? })
}

async fn overwrite_journal(journal: &Journal, timeout: Duration) -> OverwrittenJournal {
    let until = Instant::now() + timeout;
    let wanted = journal.overwrite_drained();
    let mut asked = Instant::now();
    while journal.overwritten() < wanted && Instant::now() < until {
        if asked.elapsed() > REQUEST_INTERVAL {
            journal.overwrite_drained();
            asked = Instant::now();
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let overwritten = journal.overwritten();
    OverwrittenJournal {
        complete: overwritten >= wanted,
        overwritten_to: overwritten.0,
        set_aside: journal.recovery().set_aside,
    }
}

/// Overwrites a journal periodically, until stopped: drained data is in no segment for longer than the interval, even if
/// the segment is not full.
pub async fn overwrite_periodically(journal: Journal, every: Duration, stop: CancellationToken) {
    let mut last = Position::START;
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        // nothing was written since the last time
        if journal.end() != last || journal.overwritten() < last {
            last = journal.end();
            journal.overwrite_drained();
        }
    }
}
