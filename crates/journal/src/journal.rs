use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::config::{Config, POSITION_GAP};
use crate::error::{AppendError, DurableError, JournalError};
use crate::frame::{Frame, Position};
use crate::owners::Owner;
use crate::reader::{self, Batch};
use crate::recovery::{self, RecoveryReport};
use crate::shared::Shared;
use crate::stats::Stats;
use crate::storage::Storage;
use crate::waiting::Durable;
use crate::{dispatch, segment, threads};

const ID_FILE: &str = "journal.id";

/// An open journal. Clones are cheap and are the same journal.
///
/// When the last clone is dropped without `close`, what is queued is still written, in the background; the folder can
/// be opened again once that is done.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    report: Mutex<RecoveryReport>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal in `config.dir`, or makes one with the id that `new_id` gives. Reads all segments: blocking.
    ///
    /// # Errors
    /// `Config`, `Locked`, `Folder` if the id is damaged or missing beside segments, `Io`.
    pub fn open(
        config: Config,
        storage: Arc<dyn Storage>,
        new_id: impl FnOnce() -> [u8; 16],
    ) -> Result<Self, JournalError> {
        let journal = Self::open_unstarted(config, storage, new_id)?;
        let shared = &journal.inner.shared;
        let started =
            threads::start(shared).map_err(JournalError::io("start threads for", &shared.config.dir))?;
        *journal.lock_threads() = started;
        Ok(journal)
    }

    pub(crate) fn open_unstarted(
        config: Config,
        storage: Arc<dyn Storage>,
        new_id: impl FnOnce() -> [u8; 16],
    ) -> Result<Self, JournalError> {
        config.validate()?;
        let dir = &config.dir;
        storage.create_dir(dir).map_err(JournalError::io("create", dir))?;
        let lock = dir.join("lock");
        let folder_lock = storage.lock(&lock).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => JournalError::Locked(dir.clone()),
            _ => JournalError::io("lock", &lock)(error),
        })?;
        let id = read_id(&*storage, dir, new_id)?;
        let (state, report) = recovery::recover(&config, &*storage, id)?;
        let shared = Shared::new(config, storage, id, state, folder_lock);
        Ok(Self { inner: Arc::new(Inner { shared, report: Mutex::new(report), threads: Mutex::default() }) })
    }

    /// The journal's id, which is stored in its folder.
    pub fn id(&self) -> [u8; 16] {
        self.inner.shared.id
    }

    /// The result of the recovery at the start.
    pub fn recovery(&self) -> RecoveryReport {
        self.inner.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the checkpoint that the database has for this journal, before the first append. Frames up to it count
    /// as released. If it lies beyond the log (the folder was restored from an old copy, or lost something), positions
    /// go on beyond it, and the report says so.
    ///
    /// # Errors
    /// `StartedAlready` after an append.
    pub fn start_after(&self, checkpoint: Position) -> Result<(), JournalError> {
        {
            let mut state = self.inner.shared.lock();
            if state.appended {
                return Err(JournalError::StartedAlready);
            }
            if checkpoint.0 >= state.tail && checkpoint != Position::START {
                state.tail = checkpoint.0 + POSITION_GAP;
            }
        }
        let mut report = self.inner.report.lock().unwrap_or_else(PoisonError::into_inner);
        if checkpoint > report.end {
            report.checkpoint_ahead = Some(checkpoint);
            let (checkpoint, end) = (checkpoint.0, report.end.0);
            tracing::warn!(
                checkpoint,
                end,
                "journal: the database is ahead of the journal's folder: was it restored?"
            );
        }
        drop(report);
        self.inner.shared.released(checkpoint);
        Ok(())
    }

    /// Queues a frame of the joined parts of `payload`, and returns its position at once: where it ENDS. The order of
    /// positions is the order of appends. It becomes durable with the next sync, at most `lazy_delay` later.
    ///
    /// # Errors
    /// See [`AppendError`]; the frame was not taken.
    pub fn append(&self, kind: u8, key: [u8; 16], payload: &[&[u8]]) -> Result<Position, AppendError> {
        self.inner.shared.append(None, kind, key, payload)
    }

    /// Like [`Journal::append`], for a frame with an owner: the budgets are shared among owners, so that an owner that fills
    /// the journal reaches its limit before the others do.
    ///
    /// # Errors
    /// As `append`; `Full` also when the owner has its share of what is not durable or not drained yet.
    pub fn append_for(
        &self,
        owner: Owner,
        kind: u8,
        key: [u8; 16],
        payload: &[&[u8]],
    ) -> Result<Position, AppendError> {
        self.inner.shared.append(Some(owner), kind, key, payload)
    }

    /// Asks for a sync now, and completes when everything up to `position` is durable. The sync is asked for by the
    /// call itself, not by the first poll.
    ///
    /// With `Full` and `Failed` the frame stays queued, and may become durable later: the caller must not
    /// acknowledge it, but may find it in the log.
    pub fn durable(&self, position: Position) -> Durable {
        let shared = &self.inner.shared;
        shared.want(position.0);
        Durable::new(Arc::clone(shared), position.0)
    }

    /// `durable` for callers that are not asynchronous.
    ///
    /// # Errors
    /// As `durable`.
    pub fn durable_blocking(&self, position: Position) -> Result<(), DurableError> {
        self.durable(position).block()
    }

    /// Gives the current tokio runtime, and this thread, one wake-up for all who wait here after a sync. For a
    /// `current_thread` runtime, called once on it; without it everything works, with more wake-ups.
    ///
    /// # Errors
    /// `NoRuntime` outside of a runtime.
    pub fn attach_runtime(&self) -> Result<(), JournalError> {
        dispatch::attach(&self.inner.shared)
    }

    /// Durable frames after `after` that are not released, in order, of about `max_bytes` in all and at least one if
    /// there is one. Blocking.
    ///
    /// # Errors
    /// `Io`. Damage is no error: it is skipped, and was reported at the start.
    pub fn read(&self, after: Position, max_bytes: usize) -> Result<Batch, JournalError> {
        reader::read(&self.inner.shared, after, max_bytes)
    }

    /// Completes when there are durable frames after `after`. Asks for no sync.
    ///
    /// # Errors
    /// `Closed` if the journal closed and there are none.
    pub async fn wait_for_frames(&self, after: Position) -> Result<(), DurableError> {
        Durable::new(Arc::clone(&self.inner.shared), after.0.saturating_add(1)).ignoring_disk_errors().await
    }

    /// Releases everything up to `position`, which is in the database: the segments before it may be recycled.
    pub fn released(&self, position: Position) {
        self.inner.shared.released(position);
    }

    /// Requests that everything released is overwritten with zeros now. Completely released segments always are; this makes
    /// the journal continue in a new segment, so that the current one can be overwritten too.
    ///
    /// Returns at once, with a position that [`Journal::overwritten`] comes to once all that was released at the call is
    /// in no file any more. What was appended, but not released yet, is waited for as well.
    pub fn overwrite_drained(&self) -> Position {
        self.inner.shared.overwrite_drained()
    }

    /// Up to where nothing of what was appended is left in any file. Files that were set aside as damaged
    /// (`RecoveryReport::set_aside`) are kept for a human, and not looked at.
    pub fn overwritten(&self) -> Position {
        Position(self.inner.shared.lock().overwritten())
    }

    /// All durable frames with this key that are not released, in order, by a walk over the headers. Blocking.
    ///
    /// # Errors
    /// `Io`.
    pub fn find(&self, key: [u8; 16]) -> Result<Vec<Frame>, JournalError> {
        reader::find(&self.inner.shared, key)
    }

    /// The position of the last frame, be it appended or recovered.
    pub fn end(&self) -> Position {
        let state = self.inner.shared.lock();
        // before the first append the tail lies a gap behind the last frame, where no drainer ever comes
        Position(if state.appended { state.tail } else { state.durable })
    }

    /// Counters and levels.
    pub fn stats(&self) -> Stats {
        self.inner.shared.lock().levels()
    }

    /// Rejects further appends, makes queued frames durable, and ends the threads. Blocking; reading still works.
    ///
    /// # Errors
    /// `Unwritten` if that failed, after one more try.
    pub fn close(&self) -> Result<(), JournalError> {
        threads::shut(&self.inner.shared);
        for thread in self.lock_threads().drain(..) {
            // A thread that panicked has been reported, and has ended as well.
            let _ = thread.join();
        }
        let state = self.inner.shared.lock();
        match state.queue.len() + state.inflight {
            0 => Ok(()),
            bytes => {
                let cause =
                    state.stats.last_error.clone().unwrap_or_else(|| "the writer ended early".to_owned());
                Err(JournalError::Unwritten { bytes, cause })
            }
        }
    }

    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    fn lock_threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without waiting: this may be anybody's thread, the writer's too.
        threads::shut(&self.shared);
    }
}

fn read_id(
    storage: &dyn Storage,
    dir: &Path,
    new_id: impl FnOnce() -> [u8; 16],
) -> Result<[u8; 16], JournalError> {
    let folder = |what: &str| JournalError::Folder { dir: dir.to_owned(), what: what.to_owned() };
    let path = dir.join(ID_FILE);
    let names = storage.list(dir).map_err(JournalError::io("list", dir))?;
    if names.iter().any(|name| name == ID_FILE) {
        let mut text = [0; 64];
        let read = storage.open(&path).and_then(|file| file.read_at(0, &mut text));
        let len = read.map_err(JournalError::io("read", &path))?;
        return std::str::from_utf8(&text[..len])
            .ok()
            .and_then(|text| parse_uuid(text.trim()))
            .ok_or_else(|| folder("journal.id is not a UUID: restore it"));
    }
    if names.iter().any(|name| segment::parse_name(name).is_some()) {
        return Err(folder("there are segments but no journal.id: restore it, or move the segments away"));
    }
    let id = new_id();
    let temporary = dir.join("journal.id.tmp");
    let write = || {
        let file = storage.create(&temporary)?;
        file.write_at(0, format_uuid(id).as_bytes())?;
        file.sync_data()?;
        storage.rename(&temporary, &path)?;
        storage.sync_dir(dir)
    };
    write().map_err(JournalError::io("write", &path))?;
    Ok(id)
}

fn format_uuid(id: [u8; 16]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let parts = [&id[..4], &id[4..6], &id[6..8], &id[8..10], &id[10..]];
    format!("{}\n", parts.map(hex).join("-"))
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let hex = text.replace('-', "");
    let id = u128::from_str_radix(&hex, 16).ok()?.to_be_bytes();
    (format_uuid(id).trim_end() == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_round_trip_as_a_uuid() {
        let id = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x11\x22\x33\x44\x55\x66\x77";
        let text = format_uuid(id);
        assert_eq!(text, "01234567-89ab-cdef-0011-223344556677\n");
        assert_eq!(parse_uuid(text.trim()), Some(id));
        for bad in ["", "0123456789abcdef0011223344556677", "01234567-89AB-cdef-0011-223344556677", "+1"] {
            assert_eq!(parse_uuid(bad), None, "{bad}");
        }
    }
}
