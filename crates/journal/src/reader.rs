//! Reading back what is durable.

use std::sync::Arc;

use crate::error::JournalError;
use crate::frame::{Frame, FrameHeader, Position};
use crate::scan::{Item, Scan};
use crate::segment::Segment;
use crate::shared::Shared;

/// The result of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Durable frames, in order. None also if all that was there is damaged: then `next` is behind it.
    pub frames: Vec<Frame>,
    /// From where to read on, and the checkpoint once these frames are in the database.
    pub next: Position,
    /// Whether `max_bytes` ended the batch: more can be read at once.
    pub is_full: bool,
}

/// A hold on segments: they are not recycled until it is dropped.
struct Hold<'a> {
    shared: &'a Shared,
    segments: Vec<(Arc<Segment>, u64)>,
    after: u64,
}

impl<'a> Hold<'a> {
    fn new(shared: &'a Shared, after: u64) -> Self {
        let state = shared.lock();
        let after = after.max(state.released);
        Self { shared, segments: state.durable_segments(after), after }
    }

    fn scans(&self) -> impl Iterator<Item = Scan> {
        self.segments.iter().map(|(segment, end)| Scan::all(Arc::clone(segment), self.after, *end))
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.segments.clear();
        if !self.shared.lock().drained.is_empty() {
            self.shared.preparer_wake.notify_one();
        }
    }
}

pub(crate) fn read(shared: &Shared, after: Position, max_bytes: usize) -> Result<Batch, JournalError> {
    let hold = Hold::new(shared, after.0);
    let mut batch = Batch { frames: Vec::new(), next: Position(hold.after), is_full: false };
    let mut left = max_bytes;
    for ((segment, _), mut scan) in hold.segments.iter().zip(hold.scans()) {
        while let Some(item) = scan.next().map_err(segment.error("read"))? {
            if let Item::Frame(header) = item {
                if !batch.frames.is_empty() && header.frame_len() > left {
                    batch.is_full = true;
                    return Ok(batch);
                }
                left = left.saturating_sub(header.frame_len());
                batch.frames.push(frame(&header, &scan));
            }
            batch.next = Position(scan.at());
        }
    }
    Ok(batch)
}

pub(crate) fn find(shared: &Shared, key: [u8; 16]) -> Result<Vec<Frame>, JournalError> {
    let hold = Hold::new(shared, 0);
    let mut found = Vec::new();
    for ((segment, _), scan) in hold.segments.iter().zip(hold.scans()) {
        let mut scan = scan.only(key);
        while let Some(item) = scan.next().map_err(segment.error("read"))? {
            if let Item::Frame(header) = item
                && header.key == key
            {
                found.push(frame(&header, &scan));
            }
        }
    }
    Ok(found)
}

fn frame(header: &FrameHeader, scan: &Scan) -> Frame {
    Frame {
        kind: header.kind,
        key: header.key,
        position: Position(header.position),
        payload: scan.payload().to_vec(),
    }
}
