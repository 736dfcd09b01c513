use std::time::Duration;

/// Upper bounds of the sync time histogram's buckets, in microseconds; a last bucket takes the rest.
pub const SYNC_BUCKETS_MICROS: [u64; 12] =
    [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 51_200, 204_800, 819_200];

/// Counters since the journal was opened, and levels now.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Bytes of frames in memory, not yet durable.
    pub queued_bytes: u64,
    /// Bytes of durable frames not yet released.
    pub undrained_bytes: u64,
    /// Segments that hold (or may yet hold) frames not released.
    pub segments: usize,
    /// Bytes of these segments' files: what the disk budget bounds.
    pub segment_bytes: u64,
    /// Segments ready for use.
    pub spare_segments: usize,
    /// Frames made durable.
    pub frames: u64,
    /// Bytes of these frames, headers included.
    pub bytes: u64,
    /// Segments overwritten with zeros, once drained.
    pub overwritten_segments: u64,
    /// Appends refused because something was used up.
    pub refused_full: u64,
    /// Writes and syncs that failed.
    pub failures: u64,
    /// Successful syncs of frames.
    pub syncs: u64,
    /// Their time in all.
    pub sync_time: Duration,
    /// The longest of them.
    pub sync_max: Duration,
    /// How many took up to each bound of `SYNC_BUCKETS_MICROS` (not cumulative); the last: longer.
    pub sync_buckets: [u64; SYNC_BUCKETS_MICROS.len() + 1],
    /// The last thing the disk refused.
    pub last_error: Option<String>,
}

impl Stats {
    pub(crate) fn count_sync(&mut self, took: Duration) {
        let micros = took.as_micros();
        let bucket = SYNC_BUCKETS_MICROS.iter().position(|bound| micros <= u128::from(*bound));
        self.sync_buckets[bucket.unwrap_or(SYNC_BUCKETS_MICROS.len())] += 1;
        self.syncs += 1;
        self.sync_time += took;
        self.sync_max = self.sync_max.max(took);
    }
}
