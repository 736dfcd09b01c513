//! The writer: takes queued frames, writes and syncs them, and announces the result. A state machine without a thread of
//! its own.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::frame::{FRAME_HEADER_BYTES, frame_lens};
use crate::segment::{Segment, SegmentHeader};
use crate::shared::Shared;
use crate::state::{Blocked, Drained, Due, LiveSegment, WriteFailure};
use crate::storage::is_full;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// A larger buffer is freed after use.
const KEEP_BUFFER_BYTES: usize = 4 << 20;

/// The result of a step of the writer or the preparer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There may be more to do.
    Progress,
    /// Nothing to do now.
    Idle,
    /// The journal is closed.
    Finished,
}

enum Stall {
    NoSegment,
    Io(io::Error),
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// The batch taken from the queue, kept until it is durable.
    batch: Vec<u8>,
    /// How much of it is durable.
    done: usize,
    /// Where the rest of it starts.
    start: u64,
    /// The segment being written, and where its frames end.
    active: Option<(Arc<Segment>, u64)>,
    /// Failures since something last succeeded.
    failures: u32,
}

impl Writer {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, batch: Vec::new(), done: 0, start: 0, active: None, failures: 0 }
    }

    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Does what is due: at most one write and one sync of frames.
    pub fn step(&mut self, now: Instant) -> Step {
        {
            let mut state = self.shared.lock();
            if state.finished {
                return Step::Finished;
            }
            if state.due(now, &self.shared.config) != Due::Now {
                return Step::Idle;
            }
            if state.inflight == 0 && !state.closing && state.rotates(&self.shared.config) {
                state.rotate = false;
                // A segment in which nothing was written is as good as a fresh one.
                if self.active.as_ref().is_none_or(|(segment, end)| *end > segment.base) {
                    self.active = None;
                    state.replan(&[], &self.shared.config);
                    if state.queue.is_empty() {
                        state.planned = 1;
                        state.remaining = self.shared.config.segment_capacity();
                        self.start = state.tail;
                        drop(state);
                        return self.rotate();
                    }
                } else if state.queue.is_empty() {
                    return Step::Progress;
                }
            }
            if state.inflight == 0 {
                if state.queue.is_empty() {
                    state.finished = true;
                    self.shared.announce(state);
                    return Step::Finished;
                }
                std::mem::swap(&mut state.queue, &mut self.batch);
                state.oldest = None;
                state.inflight = self.batch.len();
                self.start = state.tail - self.batch.len() as u64;
                self.done = 0;
            }
        }
        match self.write_some() {
            Ok(()) => self.failures = 0,
            Err(Stall::NoSegment) => return self.wait_for_segment(),
            Err(Stall::Io(error)) => return self.abandon(&error, now),
        }
        Step::Progress
    }

    /// Writes as much of the batch as the segment holds, and syncs it.
    fn write_some(&mut self) -> Result<(), Stall> {
        let rest = &self.batch[self.done..];
        let first = frame_lens(rest).next().unwrap_or(0) as u64;
        let active = self.active.take().filter(|(segment, end)| segment.capacity_end() - end >= first);
        let (segment, end) = match active {
            Some(active) => active,
            None => self.begin_segment()?,
        };
        let remaining = segment.capacity_end() - end;
        let fits = |sum: &mut u64, len: usize| {
            *sum += len as u64;
            (*sum <= remaining).then_some(*sum as usize)
        };
        let piece = frame_lens(rest).scan(0, fits).last().unwrap_or(0);
        debug_assert!(piece >= FRAME_HEADER_BYTES, "configuration makes every frame fit a fresh segment");

        let took = self.put(&segment, end, &rest[..piece])?;
        let frames = frame_lens(&rest[..piece]).count() as u64;
        let end = end + piece as u64;
        self.start = end;
        self.done += piece;
        self.active = Some((segment, end));
        if self.done == self.batch.len() {
            self.batch.clear();
            if self.batch.capacity() > KEEP_BUFFER_BYTES {
                self.batch = Vec::new();
            }
        }
        let mut state = self.shared.lock();
        if let Some(live) = state.segments.back_mut() {
            live.end = end;
        }
        state.durable = end;
        state.inflight -= piece;
        state.blocked = None;
        state.stats.frames += frames;
        state.stats.bytes += piece as u64;
        state.stats.count_sync(took);
        self.shared.announce(state);
        Ok(())
    }

    fn put(&self, segment: &Segment, end: u64, bytes: &[u8]) -> Result<Duration, Stall> {
        let mut before = Instant::now();
        let written = segment.file.write_at(segment.offset(end), bytes).and_then(|()| {
            before = Instant::now();
            segment.file.sync_data()
        });
        written.map(|()| before.elapsed()).map_err(|error| {
            let mut state = self.shared.lock();
            // With nothing durable in it, it is of no use; otherwise it stays until that is drained.
            match state.segments.pop_back() {
                Some(live) if live.end == live.segment.base => {
                    state.drained.push_back(Drained::unknown(live.segment, false));
                }
                Some(live) => state.segments.push_back(LiveSegment { failed: true, ..live }),
                None => {}
            }
            Stall::Io(error)
        })
    }

    /// Makes a ready segment part of the log. Its header is durable before any frame is written to it.
    fn begin_segment(&self) -> Result<(Arc<Segment>, u64), Stall> {
        let (spare, prev_end) = {
            let mut state = self.shared.lock();
            let Some(spare) = state.ready.pop_front() else { return Err(Stall::NoSegment) };
            self.shared.preparer_wake.notify_one();
            (spare, state.segments.back().map_or(0, |live| live.end))
        };
        let base = self.start;
        let header = SegmentHeader { journal: self.shared.id, seq: spare.seq, base, prev_end };
        let written = spare.file.write_at(0, &header.encode()).and_then(|()| spare.file.sync_data());

        let mut state = self.shared.lock();
        if let Err(error) = written {
            state.drained.push_back(Drained::unknown(spare, false));
            return Err(Stall::Io(error));
        }
        let kept = |live: &LiveSegment| !live.failed || live.end > live.segment.base;
        debug_assert!(
            state.segments.iter().all(kept),
            "a failed segment that holds nothing would only use budget up"
        );
        let segment = Arc::new(spare.live(base));
        let live = LiveSegment { segment: Arc::clone(&segment), end: base, failed: false, recovered: false };
        state.segments.push_back(live);
        state.planned = state.planned.saturating_sub(1);
        state.collect_drained();
        if !state.drained.is_empty() {
            self.shared.preparer_wake.notify_one();
        }
        Ok((segment, base))
    }

    /// Begins a segment without frames to write. If that fails, the requester repeats the request.
    fn rotate(&mut self) -> Step {
        let begun = self.begin_segment();
        let mut state = self.shared.lock();
        match begun {
            Ok(active) => self.active = Some(active),
            Err(stall) => {
                state.replan(&[], &self.shared.config);
                if let Stall::Io(error) = stall {
                    tracing::warn!(error = %error, "journal: no fresh segment could be begun");
                    state.stats.failures += 1;
                    state.stats.last_error = Some(format!("begin a segment: {error}"));
                }
            }
        }
        self.shared.announce(state);
        Step::Progress
    }

    fn wait_for_segment(&mut self) -> Step {
        let mut state = self.shared.lock();
        if !state.ready.is_empty() {
            return Step::Progress;
        }
        if state.closing && state.prepare_failure.is_some() {
            state.finished = true;
        }
        state.blocked = Some(Blocked::Segment);
        self.shared.preparer_wake.notify_one();
        self.shared.announce(state);
        Step::Idle
    }

    /// After a failure the kernel may have dropped what was written, and a later sync of that file would not tell. So
    /// the segment ends where it was known to be durable, and the batch goes on in a fresh one: at once, then with
    /// growing delays.
    fn abandon(&mut self, error: &io::Error, now: Instant) -> Step {
        self.failures += 1;
        let mut state = self.shared.lock();
        tracing::warn!(error = %error, failures = self.failures, "journal: a write failed; going on in a fresh segment");
        state.stats.failures += 1;
        state.stats.last_error = Some(format!("write: {error}"));
        state.replan(&self.batch[self.done..], &self.shared.config);
        state.blocked = None;
        if self.failures > 1 {
            let delay = LAST_RETRY.min(FIRST_RETRY * 2u32.saturating_pow(self.failures - 2));
            let failure = if is_full(error) { WriteFailure::Full } else { WriteFailure::Failed };
            state.blocked = Some(Blocked::Until(now + delay, failure));
            state.finished = state.closing;
        }
        self.shared.preparer_wake.notify_one();
        self.shared.announce(state);
        Step::Progress
    }
}
