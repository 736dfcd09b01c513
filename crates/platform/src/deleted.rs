//! Making what was deleted unreadable on disk: in the journal's files and in the database's.

use std::time::Duration;

use loam_db::{Db, Overwritten};
use loam_journal::{Journal, Position};
use loam_kernel::Result;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the journal has come so far.
const LOOK: Duration = Duration::from_millis(50);
/// After so long the journal is asked again, as it gives a request up when the disk refuses.
const AGAIN: Duration = Duration::from_secs(2);

/// What was done so that deleted content can't be read from disk, for a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedContent {
    /// This node's journal; none in a process without one.
    pub journal: Option<OverwrittenJournal>,
    /// The database.
    pub database: Overwritten,
}

/// What was done in a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverwrittenJournal {
    /// Whether all that had been written when it was asked for is overwritten with zeros now.
    pub complete: bool,
    /// The position up to which nothing is left in its files.
    pub overwritten_to: u64,
    /// Files that were set aside as damaged when the server started, and are kept for an operator: `bad-…` in the
    /// journal's folder, to be deleted by hand.
    pub set_aside: Vec<String>,
}

impl DeletedContent {
    /// Whether everything was done that Loam can do here and now.
    pub fn complete(&self) -> bool {
        self.database.complete && self.journal.as_ref().is_none_or(|journal| journal.complete)
    }
}

/// Overwrites what was deleted before the call: all that the journal held, as soon as it is drained, and then what the
/// database deleted from these tables (all if none is named). Waits for at most `patience` for the drainer. Another
/// node's journal does the same by itself within its `journal.overwrite_seconds`.
///
/// # Errors
/// When the database is away. What could not be done within the patience is said in the answer.
pub async fn overwrite_deleted(
    db: &Db,
    journal: Option<&Journal>,
    tables: &[&str],
    patience: Duration,
) -> Result<DeletedContent> {
    let journal = match journal {
        Some(journal) => Some(overwrite_journal(journal, patience).await),
        None => None,
    };
    Ok(DeletedContent { journal, database: db.overwrite_deleted(tables).await? })
}

async fn overwrite_journal(journal: &Journal, patience: Duration) -> OverwrittenJournal {
    let until = Instant::now() + patience;
    let wanted = journal.overwrite_drained();
    let mut asked = Instant::now();
    while journal.overwritten() < wanted && Instant::now() < until {
        if asked.elapsed() > AGAIN {
            journal.overwrite_drained();
            asked = Instant::now();
        }
        tokio::time::sleep(LOOK).await;
    }
    let overwritten = journal.overwritten();
    OverwrittenJournal {
        complete: overwritten >= wanted,
        overwritten_to: overwritten.0,
        set_aside: journal.recovery().set_aside,
    }
}

/// Has a journal overwritten now and then, until stopped: a text that was drained is in no segment for longer than this,
/// though the segment is not full.
pub async fn keep_overwriting(journal: Journal, every: Duration, stop: CancellationToken) {
    let mut last = Position::START;
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        // nothing was written since: there is nothing new to overwrite
        if journal.end() != last || journal.overwritten() < last {
            last = journal.end();
            journal.overwrite_drained();
        }
    }
}
