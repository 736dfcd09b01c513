use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::JournalError;
use crate::journal::Journal;
use crate::preparer::Preparer;
use crate::storage::Storage;
use crate::threads;
use crate::writer::{Step, Writer};

/// A journal whose two threads are steps taken by hand. Give it a `lazy_delay` of an hour: real time plays no role
/// then. Dropping it is the death of its process: nothing more is written.
pub struct Stepped {
    journal: Journal,
    writer: Writer,
    preparer: Preparer,
    /// Steps for which all delays had passed: each is later than the one before by more than any retry's delay.
    later: u32,
}

impl Stepped {
    /// `Journal::open` without threads.
    ///
    /// # Errors
    /// As `Journal::open`.
    pub fn open(
        config: Config,
        storage: Arc<dyn Storage>,
        new_id: impl FnOnce() -> [u8; 16],
    ) -> Result<Self, JournalError> {
        let journal = Journal::open_unstarted(config, storage, new_id)?;
        let (writer, preparer) =
            (Writer::new(Arc::clone(journal.shared())), Preparer::new(Arc::clone(journal.shared())));
        Ok(Self { journal, writer, preparer, later: 0 })
    }

    /// One step of the writer; if `later`, all delays have passed.
    pub fn step_writer(&mut self, later: bool) -> Step {
        let now = self.now(later);
        self.writer.step(now)
    }

    /// One step of the preparer; if `later`, all delays have passed.
    pub fn step_preparer(&mut self, later: bool) -> Step {
        let now = self.now(later);
        self.preparer.step(now)
    }

    /// Steps until nothing is left to do; false if that does not come to an end.
    pub fn settle(&mut self) -> bool {
        (0..10_000)
            .any(|_| self.step_writer(true) != Step::Progress && self.step_preparer(true) != Step::Progress)
    }

    /// Starts closing; step on until `Finished`.
    pub fn shut(&self) {
        threads::shut(self.journal.shared());
    }

    fn now(&mut self, later: bool) -> Instant {
        if !later {
            return Instant::now();
        }
        self.later += 1;
        Instant::now() + Duration::from_hours(48) + Duration::from_secs(10) * self.later
    }
}

impl Deref for Stepped {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        &self.journal
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        self.journal.shared().unlock_folder();
    }
}
