//! The threads around the two state machines: they step, and sleep until a step has something to do.

use std::io;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::preparer::Preparer;
use crate::shared::Shared;
use crate::state::{Due, Parked, State};
use crate::writer::{Step, Writer};

pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<Vec<JoinHandle<()>>> {
    let (writer, preparer) = (Writer::new(Arc::clone(shared)), Preparer::new(Arc::clone(shared)));
    let ends = FinishGuard(Arc::clone(shared));
    let writer = std::thread::Builder::new().name("journal-writer".to_owned()).spawn(move || {
        let _ends = ends;
        run_writer(writer);
    })?;
    let folder = UnlockGuard(Arc::clone(shared));
    let preparer = std::thread::Builder::new().name("journal-spares".to_owned()).spawn(move || {
        let _folder = folder;
        run_preparer(preparer);
    });
    match preparer {
        Ok(preparer) => Ok(vec![writer, preparer]),
        Err(error) => {
            shut(shared);
            Err(error)
        }
    }
}

/// Takes no more appends; the writer writes what is queued, and both threads end.
pub(crate) fn shut(shared: &Shared) {
    let mut state = shared.lock();
    state.closing = true;
    shared.wake_writer(&mut state);
    shared.preparer_wake.notify_one();
}

fn run_writer(mut writer: Writer) {
    let shared = writer.shared();
    loop {
        match writer.step(Instant::now()) {
            Step::Progress => {}
            Step::Idle => park_writer(&shared),
            Step::Finished => return,
        }
    }
}

/// Sleeps until the writer has something to do. After work it sleeps briefly first: under load the next append
/// comes within that time, and needs not wake it only to make it wait for the lazy delay.
fn park_writer(shared: &Shared) {
    let mut state = shared.lock();
    let mut rested = false;
    loop {
        let now = Instant::now();
        let brief = match state.due(now, &shared.config) {
            Due::Now => break,
            Due::At(time) => Some(time - now),
            Due::Never if rested => None,
            Due::Never => Some(shared.config.lazy_delay),
        };
        rested = true;
        state.parked = if brief.is_some() { Parked::Briefly } else { Parked::Idle };
        state = wait(&shared.writer_wake, state, brief);
    }
    state.parked = Parked::Awake;
}

fn run_preparer(mut preparer: Preparer) {
    let shared = preparer.shared();
    loop {
        match preparer.step(Instant::now()) {
            Step::Progress => {}
            Step::Idle => {
                let mut state = shared.lock();
                loop {
                    let now = Instant::now();
                    let pause = match preparer.due(&state, now) {
                        Due::Now => break,
                        Due::At(time) => Some(time - now),
                        Due::Never => None,
                    };
                    state = wait(&shared.preparer_wake, state, pause);
                }
            }
            Step::Finished => return,
        }
    }
}

fn wait<'a>(
    condition: &Condvar,
    state: MutexGuard<'a, State>,
    pause: Option<Duration>,
) -> MutexGuard<'a, State> {
    match pause {
        Some(pause) => condition.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0,
        None => condition.wait(state).unwrap_or_else(PoisonError::into_inner),
    }
}

/// Wakes all waiters when the writer's thread ends for any reason.
struct FinishGuard(Arc<Shared>);

impl Drop for FinishGuard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.finished = true;
        self.0.preparer_wake.notify_one();
        self.0.announce(state);
    }
}

/// Unlocks the folder when the preparer's thread ends, which is the last to use files.
struct UnlockGuard(Arc<Shared>);

impl Drop for UnlockGuard {
    fn drop(&mut self) {
        self.0.unlock_folder();
    }
}
