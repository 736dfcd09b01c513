//! Everything that appenders, the writer, the preparer and readers share, under one lock. No I/O.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::config::Config;
use crate::error::{AppendError, DurableError};
use crate::frame::frame_lens;
use crate::owners::{Owner, Owners};
use crate::segment::Segment;
use crate::stats::Stats;

/// Why writing is currently impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteFailure {
    Full,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    In(WriteFailure),
    Closed,
}

/// What blocks the writer's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// No segment is ready.
    Segment,
    /// Writing failed twice: retry at this time.
    Until(Instant, WriteFailure),
}

/// When the writer has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    At(Instant),
    /// When something changes.
    Never,
}

/// The state of the writer's thread, so that it is woken only if needed: waking costs a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parked {
    Awake,
    /// Sleeps for at most the lazy delay: needs no wake-up for a lazy append.
    Briefly,
    Idle,
}

pub(crate) struct LiveSegment {
    pub segment: Arc<Segment>,
    /// Where its durable frames end.
    pub end: u64,
    /// A write or a sync failed on it: never write to it again.
    pub failed: bool,
    /// An earlier process wrote to it, which may have failed: behind its end the disk may hold what the kernel doesn't show.
    pub recovered: bool,
}

/// A file the log no longer needs.
pub(crate) struct Drained {
    pub segment: Arc<Segment>,
    pub reuse: bool,
    /// The part of the file, from its start, that may hold anything; beyond it were never but zeros.
    pub used: u64,
}

impl Drained {
    /// A file with unknown content.
    pub fn unknown(segment: Arc<Segment>, reuse: bool) -> Self {
        let used = segment.len;
        Self { segment, reuse, used }
    }
}

impl From<LiveSegment> for Drained {
    fn from(live: LiveSegment) -> Self {
        let used = if live.recovered { live.segment.len } else { live.segment.offset(live.end) };
        Self { segment: live.segment, reuse: !live.failed, used }
    }
}

pub(crate) struct State {
    /// Encoded frames that the writer has not taken yet.
    pub queue: Vec<u8>,
    /// When the first of them was appended.
    pub oldest: Option<Instant>,
    /// Bytes that the writer has taken and that are not durable yet.
    pub inflight: usize,
    /// Where the next frame starts.
    pub tail: u64,
    /// Whether a frame was appended since the journal was opened.
    pub appended: bool,
    /// Up to where everything is durable: the end of the last durable frame.
    pub durable: u64,
    /// Up to where someone waits for.
    pub wanted: u64,
    /// What is left of the segment into which the next frame will go. Placing frames at append time, by the rule
    /// that the writer follows later, is what makes the disk budget exact.
    pub remaining: u64,
    /// Segments placed upon but not begun by the writer.
    pub planned: usize,

    /// The log, oldest first. The last one is never recycled: its header keeps positions from starting over.
    pub segments: VecDeque<LiveSegment>,
    /// Zero-filled or recycled, by ascending number.
    pub ready: VecDeque<Arc<Segment>>,
    /// Handled strictly in order, so that a crash never leaves a gap in the log.
    pub drained: VecDeque<Drained>,
    /// Where the segment starts that the preparer overwrites just now.
    pub overwriting: Option<u64>,
    /// The writer is asked to go on in a fresh segment, so that the present one can be overwritten once it is drained.
    pub rotate: bool,
    pub next_seq: u64,
    pub released: u64,
    /// The owners of undrained and of unsynced frames.
    pub undrained: Owners,
    pub unsynced: Owners,

    pub blocked: Option<Blocked>,
    /// The preparer's last failure, until it succeeds.
    pub prepare_failure: Option<WriteFailure>,
    pub closing: bool,
    pub finished: bool,
    pub parked: Parked,
    pub stats: Stats,
}

impl State {
    pub fn status(&self) -> Status {
        match self.blocked {
            _ if self.finished => Status::Closed,
            Some(Blocked::Until(_, failure)) => Status::In(failure),
            Some(Blocked::Segment) => self.prepare_failure.map_or(Status::Running, Status::In),
            None => Status::Running,
        }
    }

    pub fn due(&self, now: Instant, config: &Config) -> Due {
        let at = |time: Instant| if now >= time { Due::Now } else { Due::At(time) };
        if self.finished {
            return Due::Now;
        }
        if self.inflight > 0 {
            let gives_up = self.closing && self.prepare_failure.is_some();
            return match self.blocked {
                None => Due::Now,
                Some(Blocked::Segment) if gives_up || !self.ready.is_empty() => Due::Now,
                Some(Blocked::Segment) => Due::Never,
                Some(Blocked::Until(..)) if self.closing => Due::Now,
                Some(Blocked::Until(time, _)) => at(time),
            };
        }
        if self.closing || self.rotates(config) {
            return Due::Now;
        }
        match self.oldest {
            None => Due::Never,
            // Half a budget is reason enough: the other half is for what comes while it is written.
            Some(_) if self.wanted > self.durable || self.queue.len() >= config.memory_budget_bytes / 2 => {
                Due::Now
            }
            Some(oldest) => at(oldest + config.lazy_delay),
        }
    }

    /// Whether a frame of `len` bytes can be taken; counts it in if so.
    pub fn admit(&mut self, len: usize, config: &Config) -> Result<(), AppendError> {
        if self.closing || self.finished {
            return Err(AppendError::Closed);
        }
        let result = match self.status() {
            Status::In(failure) => Err(failure.into()),
            _ if self.queue.len() + self.inflight + len > config.memory_budget_bytes => {
                Err(AppendError::Full)
            }
            _ if self.remaining >= len as u64 => Ok(()),
            _ => {
                let segments = self.segments.iter().map(|live| live.segment.len).sum::<u64>();
                let planned = (self.planned as u64 + 1) * config.segment_bytes;
                match self.prepare_failure {
                    _ if segments + planned > config.disk_budget_bytes => Err(AppendError::Full),
                    Some(failure) if self.planned >= self.ready.len() => Err(failure.into()),
                    _ => Ok(()),
                }
            }
        };
        match result {
            Ok(()) => self.place(len as u64, config),
            Err(AppendError::Full) => self.stats.refused_full += 1,
            Err(_) => {}
        }
        result
    }

    /// Whether an owner has room for a frame of `len` bytes in its shares of both budgets.
    pub fn admit_owner(&mut self, owner: Owner, len: usize, config: &Config) -> Result<(), AppendError> {
        self.undrained.release_up_to(self.released);
        self.unsynced.release_up_to(self.durable);
        let segments = self.segments.iter().map(|live| live.segment.len).sum::<u64>();
        let on_disk = (segments + self.planned as u64 * config.segment_bytes).saturating_sub(self.remaining);
        let in_memory = (self.queue.len() + self.inflight) as u64;
        let free = |budget: u64, used: u64| budget.saturating_sub(used);
        let len = len as u64;
        let admitted = self.undrained.admits(owner, len, free(config.disk_budget_bytes, on_disk))
            && self.unsynced.admits(owner, len, free(config.memory_budget_bytes as u64, in_memory));
        if !admitted {
            self.stats.refused_full += 1;
            return Err(AppendError::Full);
        }
        Ok(())
    }

    fn place(&mut self, len: u64, config: &Config) {
        if self.remaining < len {
            self.planned += 1;
            self.remaining = config.segment_capacity();
        }
        self.remaining -= len;
    }

    /// Assigns all frames to segments again, after a segment was abandoned: `batch` is the writer's batch.
    pub fn replan(&mut self, batch: &[u8], config: &Config) {
        self.remaining = 0;
        self.planned = 0;
        let queue = std::mem::take(&mut self.queue);
        for len in frame_lens(batch).chain(frame_lens(&queue)) {
            self.place(len as u64, config);
        }
        self.queue = queue;
    }

    /// Whether the writer is to begin a fresh segment now: it is asked to, there is one, and the budget has room for it.
    pub fn rotates(&self, config: &Config) -> bool {
        let segments = self.segments.iter().map(|live| live.segment.len).sum::<u64>();
        let planned = (self.planned as u64 + 1) * config.segment_bytes;
        self.rotate && !self.ready.is_empty() && segments + planned <= config.disk_budget_bytes
    }

    /// Up to where nothing of what was appended is left in any file.
    pub fn overwritten(&self) -> u64 {
        let log = self.segments.iter().map(|live| live.segment.base);
        let drained = self.drained.iter().map(|drained| drained.segment.base);
        log.chain(drained).chain(self.overwriting).min().unwrap_or(self.durable)
    }

    /// Moves the segments out of the log that hold nothing of interest any more.
    pub fn collect_drained(&mut self) {
        while self.segments.len() > 1 {
            let Some(front) = self.segments.front() else { break };
            if front.end > self.released && front.end > front.segment.base {
                break;
            }
            self.drained.extend(self.segments.pop_front().map(Drained::from));
        }
    }

    /// The durable part of the log behind `after`.
    pub fn durable_segments(&self, after: u64) -> Vec<(Arc<Segment>, u64)> {
        let behind = |live: &&LiveSegment| live.end > after && live.end > live.segment.base;
        self.segments.iter().filter(behind).map(|live| (Arc::clone(&live.segment), live.end)).collect()
    }

    pub fn levels(&self) -> Stats {
        let undrained = |live: &LiveSegment| live.end.saturating_sub(live.segment.base.max(self.released));
        Stats {
            queued_bytes: (self.queue.len() + self.inflight) as u64,
            undrained_bytes: self.segments.iter().map(undrained).sum(),
            segments: self.segments.len(),
            segment_bytes: self.segments.iter().map(|live| live.segment.len).sum(),
            spare_segments: self.ready.len(),
            ..self.stats.clone()
        }
    }
}

impl From<WriteFailure> for AppendError {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::Full => Self::Full,
            WriteFailure::Failed => Self::Failed,
        }
    }
}

impl From<WriteFailure> for DurableError {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::Full => Self::Full,
            WriteFailure::Failed => Self::Failed,
        }
    }
}
