//! The data shared by the handles and the two threads: the state, its condition variables, the waiters.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::config::Config;
use crate::dispatch::Dispatchers;
use crate::error::AppendError;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, Position};
use crate::owners::Owner;
use crate::state::{Parked, State, Status, WriteFailure};
use crate::storage::{FolderLock, Storage};

pub(crate) struct Shared {
    pub config: Config,
    pub storage: Arc<dyn Storage>,
    pub id: [u8; 16],
    state: Mutex<State>,
    pub writer_wake: Condvar,
    pub preparer_wake: Condvar,
    pub dispatchers: Dispatchers,
    /// Copies of the values that waiters read, so that they need no lock.
    durable: AtomicU64,
    status: AtomicU8,
    folder_lock: Mutex<Option<Box<dyn FolderLock>>>,
}

impl Shared {
    pub fn new(
        config: Config,
        storage: Arc<dyn Storage>,
        id: [u8; 16],
        state: State,
        folder_lock: Box<dyn FolderLock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            config,
            storage,
            id,
            durable: AtomicU64::new(state.durable),
            status: AtomicU8::new(encode(state.status())),
            state: Mutex::new(state),
            writer_wake: Condvar::new(),
            preparer_wake: Condvar::new(),
            dispatchers: Dispatchers::default(),
            folder_lock: Mutex::new(Some(folder_lock)),
        })
    }

    /// The state. No code panics while holding the lock; if it did, the state would still be used.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub fn status(&self) -> Status {
        decode(self.status.load(Ordering::Acquire))
    }

    /// Lets waiters know what has changed, and ends the borrow of the state. They look at the copies after they have
    /// registered, and are looked for after the copies have been written: so no wake-up is lost.
    pub fn announce(&self, state: MutexGuard<'_, State>) {
        let (durable, status) = (state.durable, state.status());
        self.durable.store(durable, Ordering::Release);
        self.status.store(encode(status), Ordering::Release);
        drop(state);
        self.dispatchers.signal(durable, status != Status::Running);
    }

    pub fn append(
        &self,
        owner: Option<Owner>,
        kind: u8,
        key: [u8; 16],
        payload: &[&[u8]],
    ) -> Result<Position, AppendError> {
        let bytes = payload.iter().map(|part| part.len()).sum::<usize>();
        if bytes > self.config.max_frame_bytes {
            return Err(AppendError::TooLarge { bytes, max: self.config.max_frame_bytes });
        }
        // Outside of the lock: for a large payload this takes longer than all the rest.
        let mut crc = crc32fast::Hasher::new();
        payload.iter().for_each(|part| crc.update(part));
        let len = FRAME_HEADER_BYTES + bytes;
        let mut header = FrameHeader {
            payload_len: bytes as u32,
            position: 0,
            durable: 0,
            key,
            payload_crc: crc.finalize(),
            kind,
        };

        let mut state = self.lock();
        if let Some(owner) = owner {
            state.admit_owner(owner, len, &self.config)?;
        }
        state.admit(len, &self.config)?;
        header.position = state.tail + len as u64;
        header.durable = state.durable;
        state.queue.reserve(len);
        state.queue.extend_from_slice(&header.encode());
        payload.iter().for_each(|part| state.queue.extend_from_slice(part));
        if let Some(owner) = owner {
            state.undrained.add(owner, len as u64, header.position);
            state.unsynced.add(owner, len as u64, header.position);
        }
        state.tail = header.position;
        state.appended = true;
        if state.oldest.is_none() {
            state.oldest = Some(Instant::now());
        }
        if state.parked == Parked::Idle {
            self.wake_writer(&mut state);
        }
        Ok(Position(header.position))
    }

    /// Asks the writer to sync up to `position` at once.
    pub fn want(&self, position: u64) {
        if self.durable() >= position {
            return;
        }
        let mut state = self.lock();
        state.wanted = state.wanted.max(position.min(state.tail));
        if state.wanted > state.durable && state.parked != Parked::Awake {
            self.wake_writer(&mut state);
        }
    }

    /// Asks for everything drained to be overwritten, the present segment included; the position up to which the log
    /// is then in no file.
    pub fn overwrite_drained(&self) -> Position {
        let mut state = self.lock();
        let idle = state.queue.is_empty() && state.inflight == 0;
        let empty = match state.segments.back() {
            // one from before may hold what was never durable
            Some(last) if last.recovered || last.failed || last.end > last.segment.base => None,
            Some(last) => Some(last.segment.base),
            None => Some(0),
        };
        if let Some(base) = empty.filter(|_| idle) {
            return Position(base);
        }
        state.rotate = true;
        let begins = state.tail - state.queue.len() as u64;
        // What is in flight may yet be written to the present segment: it is overwritten with that.
        self.wake_writer(&mut state);
        Position(if idle { begins } else { begins - state.inflight as u64 })
    }

    pub fn wake_writer(&self, state: &mut State) {
        state.parked = Parked::Awake;
        self.writer_wake.notify_one();
    }

    pub fn released(&self, position: Position) {
        let mut state = self.lock();
        // Never more than what is durable: nobody can have drained it.
        state.released = state.released.max(position.0.min(state.durable));
        state.collect_drained();
        if !state.drained.is_empty() {
            self.preparer_wake.notify_one();
        }
    }

    /// Lets another process have the folder, once both threads have ended.
    pub fn unlock_folder(&self) {
        self.folder_lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn encode(status: Status) -> u8 {
    match status {
        Status::Running => 0,
        Status::In(WriteFailure::Full) => 1,
        Status::In(WriteFailure::Failed) => 2,
        Status::Closed => 3,
    }
}

fn decode(status: u8) -> Status {
    match status {
        0 => Status::Running,
        1 => Status::In(WriteFailure::Full),
        2 => Status::In(WriteFailure::Failed),
        _ => Status::Closed,
    }
}
