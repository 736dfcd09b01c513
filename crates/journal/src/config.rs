use std::path::PathBuf;
use std::time::Duration;

use crate::error::JournalError;
use crate::frame::FRAME_HEADER_BYTES;
use crate::segment::SEGMENT_HEADER_BYTES;

/// How far positions jump at a start, in bytes: more than can have been assigned beyond what is on disk.
pub(crate) const POSITION_GAP: u64 = 1 << 36;

const MAX_SEGMENT_BYTES: u64 = 1 << 31;

/// Settings of a journal. Sizes are in bytes.
#[derive(Debug, Clone)]
pub struct Config {
    /// The journal's folder, created if it is missing. Only one process can use it at a time.
    pub dir: PathBuf,
    /// Length of a segment file, a multiple of 4096. Default 32 MiB.
    pub segment_bytes: u64,
    /// Maximum bytes on disk of undrained segments, without the spares. Default 1 GiB.
    pub disk_budget_bytes: u64,
    /// Maximum bytes queued in memory that are not durable yet. Default 64 MiB.
    pub memory_budget_bytes: usize,
    /// Maximum delay until a frame without a waiter becomes durable. Default 2 ms.
    pub lazy_delay: Duration,
    /// Maximum size of a payload. Default 8 MiB.
    pub max_frame_bytes: usize,
    /// Zero-filled or recycled segments kept ready, at least 1. Default 2.
    pub spare_segments: usize,
}

impl Config {
    /// The defaults, in the folder `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 32 << 20,
            disk_budget_bytes: 1 << 30,
            memory_budget_bytes: 64 << 20,
            lazy_delay: Duration::from_millis(2),
            max_frame_bytes: 8 << 20,
            spare_segments: 2,
        }
    }

    /// The capacity of a segment without its header.
    pub(crate) fn segment_capacity(&self) -> u64 {
        self.segment_bytes - SEGMENT_HEADER_BYTES
    }

    pub(crate) fn validate(&self) -> Result<(), JournalError> {
        let frame = self.max_frame_bytes.saturating_add(FRAME_HEADER_BYTES);
        let fault = if self.dir.as_os_str().is_empty() {
            "dir is empty: name a folder".to_owned()
        } else if !self.segment_bytes.is_multiple_of(4096) {
            format!("segment_bytes is {}: make it a multiple of 4096", self.segment_bytes)
        } else if self.segment_bytes > MAX_SEGMENT_BYTES {
            format!("segment_bytes is {}: make it at most {MAX_SEGMENT_BYTES}", self.segment_bytes)
        } else if self.max_frame_bytes == 0 {
            "max_frame_bytes is 0: no frame could be appended".to_owned()
        } else if self.segment_bytes < SEGMENT_HEADER_BYTES.saturating_add(frame as u64) {
            format!(
                "segment_bytes is {}: a frame of max_frame_bytes ({}) and 4144 bytes of headers must fit in it",
                self.segment_bytes, self.max_frame_bytes
            )
        } else if self.disk_budget_bytes < 2 * self.segment_bytes {
            format!(
                "disk_budget_bytes is {}: it must hold two segments of {} bytes",
                self.disk_budget_bytes, self.segment_bytes
            )
        } else if self.memory_budget_bytes < frame {
            format!(
                "memory_budget_bytes is {}: a frame of max_frame_bytes ({}) and its header must fit in it",
                self.memory_budget_bytes, self.max_frame_bytes
            )
        } else if self.memory_budget_bytes as u64 > POSITION_GAP / 2 {
            format!(
                "memory_budget_bytes is {}: make it at most {}",
                self.memory_budget_bytes,
                POSITION_GAP / 2
            )
        } else if self.lazy_delay > Duration::from_hours(24) {
            "lazy_delay is more than a day: make it milliseconds".to_owned()
        } else if self.spare_segments == 0 {
            "spare_segments is 0: one at least is needed to go on after a failed write".to_owned()
        } else {
            return Ok(());
        };
        Err(JournalError::Config(fault))
    }
}
