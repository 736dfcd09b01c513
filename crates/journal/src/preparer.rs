//! The preparer: keeps segments ready, from drained ones if there are any. A state machine without a thread of its own.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentHeader};
use crate::shared::Shared;
use crate::state::{Drained, Due, State, WriteFailure};
use crate::storage::{StorageFile, is_full};
use crate::writer::Step;

pub(crate) const UNFINISHED: &str = "new.tmp";

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(1);
const FILL_BYTES: u64 = 1 << 20;
/// Syncs in between, so that filling does not build up a burst that the writer's syncs would wait behind.
const FILL_SYNC_BYTES: u64 = 4 << 20;

enum Work {
    /// Overwrite the file and give it the number `seq`.
    Recycle(Drained, u64),
    /// Overwrite the file and remove it.
    Remove(Drained),
    Create(u64),
}

pub(crate) struct Preparer {
    shared: Arc<Shared>,
    retry: Option<Instant>,
    failures: u32,
}

impl Preparer {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, retry: None, failures: 0 }
    }

    /// When there is something to do.
    pub fn due(&self, state: &State, now: Instant) -> Due {
        let wants = state.ready.len() < self.target(state);
        // A reader may still use a drained segment; it signals when it is done.
        let front_free =
            state.drained.front().is_some_and(|drained| Arc::strong_count(&drained.segment) == 1);
        match self.retry {
            _ if state.finished => Due::Now,
            _ if !wants && !front_free => Due::Never,
            Some(time) if now < time => Due::At(time),
            _ => Due::Now,
        }
    }

    fn target(&self, state: &State) -> usize {
        self.shared.config.spare_segments.max(state.planned)
    }

    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Does one thing that is due.
    pub fn step(&mut self, now: Instant) -> Step {
        let work = {
            let mut state = self.shared.lock();
            if state.finished {
                return Step::Finished;
            }
            if self.due(&state, now) != Due::Now {
                return Step::Idle;
            }
            self.choose(&mut state)
        };
        let made = match &work {
            Work::Recycle(drained, seq) => self.recycle(drained, *seq).map(Some),
            Work::Remove(drained) => self.remove(drained).map(|()| None),
            Work::Create(seq) => self.create(*seq).map(Some),
        };
        match made {
            Ok(made) => self.done(&work, made),
            Err(error) => self.failed(work, &error, now),
        }
        Step::Progress
    }

    fn choose(&self, state: &mut State) -> Work {
        let wants = state.ready.len() < self.target(state);
        // After a failure the other kind of work is next, so that neither starves the other.
        let create = wants && self.failures % 2 == 1;
        let free = state.drained.pop_front_if(|drained| !create && Arc::strong_count(&drained.segment) == 1);
        state.overwriting = free.as_ref().map(|drained| drained.segment.base);
        match free {
            Some(drained)
                if drained.reuse && wants && drained.segment.len == self.shared.config.segment_bytes =>
            {
                state.next_seq += 1;
                Work::Recycle(drained, state.next_seq - 1)
            }
            Some(drained) => Work::Remove(drained),
            None => {
                state.next_seq += 1;
                Work::Create(state.next_seq - 1)
            }
        }
    }

    fn recycle(&self, drained: &Drained, seq: u64) -> io::Result<Segment> {
        let old = &drained.segment;
        // Before it gets its new name: a live header under a later number would be part of the log.
        self.overwrite(drained)?;
        let dir = &self.shared.config.dir;
        self.shared.storage.rename(&old.path, &dir.join(segment::name(seq)))?;
        self.shared.storage.sync_dir(dir)?;
        Ok(Segment::spare(dir, seq, old.len, Arc::clone(&old.file)))
    }

    fn remove(&self, drained: &Drained) -> io::Result<()> {
        let old = &drained.segment;
        // The blocks of a removed file keep what is in them. If the disk refuses, removing is still the best there is.
        if let Err(error) = self.overwrite(drained) {
            tracing::debug!(error = %error, "journal: a segment is removed without being overwritten");
        }
        match self.shared.storage.remove(&old.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.shared.storage.sync_dir(&self.shared.config.dir)
    }

    /// Fills a drained file with zeros. Its header goes first, durably: a crash leaves a file that is not part of the log,
    /// never one with a live header and holes, which would look like damage. What was used is written over
    /// whatever it seems to be, as after a failed sync the kernel may show zeros that the disk does not have.
    fn overwrite(&self, Drained { segment, used, .. }: &Drained) -> io::Result<()> {
        let file = &*segment.file;
        file.write_at(0, &SegmentHeader::BLANK)?;
        file.sync_data()?;
        let zeros = vec![0; FILL_BYTES.min(*used) as usize];
        let mut at = 0;
        while at < *used {
            let piece = zeros.len().min((used - at) as usize);
            file.write_at(at, &zeros[..piece])?;
            at += piece as u64;
            if at.is_multiple_of(FILL_SYNC_BYTES) || at == *used {
                file.sync_data()?;
            }
        }
        Ok(())
    }

    fn create(&self, seq: u64) -> io::Result<Segment> {
        let dir = &self.shared.config.dir;
        let unfinished = dir.join(UNFINISHED);
        let file = self.shared.storage.create(&unfinished)?;
        if let Err(error) = self.fill(&*file) {
            // Best effort: the space is of use to others, and the next try empties the file anyway.
            let _ = self.shared.storage.remove(&unfinished);
            return Err(error);
        }
        self.shared.storage.rename(&unfinished, &dir.join(segment::name(seq)))?;
        let segment = Segment::spare(dir, seq, self.shared.config.segment_bytes, file);
        if let Err(error) = self.shared.storage.sync_dir(dir) {
            // Its name is not durable yet: it gets another.
            self.shared.lock().drained.push_back(Drained::unknown(Arc::new(segment), true));
            return Err(error);
        }
        Ok(segment)
    }

    /// Real zeros: space that is only reserved is converted at the first write, which makes each sync half as
    /// slow again.
    fn fill(&self, file: &dyn StorageFile) -> io::Result<()> {
        let len = self.shared.config.segment_bytes;
        let zeros = vec![0; FILL_BYTES.min(len) as usize];
        let mut at = 0;
        while at < len {
            let piece = zeros.len().min((len - at) as usize);
            file.write_at(at, &zeros[..piece])?;
            at += piece as u64;
            if at.is_multiple_of(FILL_SYNC_BYTES) || at == len {
                file.sync_data()?;
            }
        }
        debug_assert!(len > SEGMENT_HEADER_BYTES, "checked with the configuration");
        Ok(())
    }

    fn done(&mut self, work: &Work, made: Option<Segment>) {
        self.failures = 0;
        self.retry = None;
        let mut state = self.shared.lock();
        state.overwriting = None;
        state.stats.overwritten_segments += u64::from(!matches!(work, Work::Create(_)));
        if let Some(segment) = made {
            state.prepare_failure = None;
            state.ready.push_back(Arc::new(segment));
            self.shared.wake_writer(&mut state);
        }
        self.shared.announce(state);
    }

    fn failed(&mut self, work: Work, error: &io::Error, now: Instant) {
        self.failures += 1;
        let delay = LAST_RETRY.min(FIRST_RETRY * 2u32.saturating_pow(self.failures - 1));
        self.retry = Some(now + delay);
        let mut state = self.shared.lock();
        let full = is_full(error);
        // A full disk may stay full for hours; a line every second says nothing more than the first.
        if self.failures == 1 {
            tracing::warn!(error = %error, "journal: no segment could be prepared; will try again");
        }
        state.stats.failures += 1;
        state.stats.last_error = Some(format!("prepare a segment: {error}"));
        state.overwriting = None;
        state.prepare_failure = Some(if full { WriteFailure::Full } else { WriteFailure::Failed });
        match work {
            // After a failed sync it is not trusted again.
            Work::Recycle(Drained { segment, .. }, seq) => {
                let renamed =
                    Segment::spare(&self.shared.config.dir, seq, segment.len, Arc::clone(&segment.file));
                state.drained.push_front(Drained::unknown(Arc::new(renamed), false));
                state.drained.push_front(Drained::unknown(segment, false));
            }
            Work::Remove(drained) => state.drained.push_front(drained),
            Work::Create(_) => {}
        }
        self.shared.wake_writer(&mut state);
        self.shared.announce(state);
    }
}
