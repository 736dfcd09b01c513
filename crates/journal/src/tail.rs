//! The end of the log at start-up.

use std::io;
use std::sync::Arc;

use crate::error::JournalError;
use crate::recovery::RecoveryReport;
use crate::scan::{Item, Scan};
use crate::segment::{Segment, SegmentHeader};

const CHUNK_BYTES: u64 = 1 << 20;

struct Damage {
    from: u64,
    to: u64,
    /// Frames before it, and their bytes.
    frames: u64,
    bytes: u64,
}

/// The end of the last segment: its first damaged place that no later frame proves to have been durable. What is
/// before that is durable when this returns.
pub(crate) fn recover(
    segment: &Arc<Segment>,
    header: &SegmentHeader,
    report: &mut RecoveryReport,
) -> Result<u64, JournalError> {
    let mut scan = Scan::all(Arc::clone(segment), segment.base, segment.capacity_end());
    let (mut frames, mut bytes, mut proven, mut last) = (0, 0, segment.base, segment.base);
    let mut damages: Vec<Damage> = Vec::new();
    while let Some(item) = scan.next().map_err(segment.error("read"))? {
        match item {
            Item::Frame(header) => {
                frames += 1;
                bytes += header.frame_len() as u64;
                proven = proven.max(header.durable);
                last = header.position;
            }
            Item::Bad { from, to } => {
                // A whole header with a damaged payload says where its frame would have ended.
                last = last.max(if to < segment.capacity_end() { to } else { from });
                damages.push(Damage { from, to, frames, bytes });
            }
        }
    }
    let tear = damages.iter().position(|damage| damage.from >= proven).unwrap_or(damages.len());
    let mut end = segment.capacity_end();
    if let Some(damage) = damages.get(tear) {
        (end, frames, bytes) = (damage.from, damage.frames, damage.bytes);
        report.torn_tail_bytes = last.saturating_sub(end);
    }
    let lost = damages[..tear].iter().map(|damage| damage.to - damage.from).sum::<u64>();
    report.frames += frames;
    report.bytes += bytes;
    report.corrupt_bytes += lost;
    report.corrupt_segments += usize::from(lost > 0);
    rewrite(segment, header, proven.min(end), end).map_err(segment.error("rewrite the end of"))?;
    Ok(end)
}

/// What is not proven to be durable may be in the kernel's memory alone, and if a sync failed before the process
/// died, the kernel may believe that it is on the disk. Only writing it again and a good sync make it so; since the
/// bytes are the same, a crash meanwhile does no harm.
fn rewrite(segment: &Segment, header: &SegmentHeader, from: u64, end: u64) -> io::Result<()> {
    segment.file.write_at(0, &header.encode())?;
    let mut at = from;
    while at < end {
        let mut bytes = vec![0; CHUNK_BYTES.min(end - at) as usize];
        let got = segment.file.read_at(segment.offset(at), &mut bytes)?;
        if got < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        segment.file.write_at(segment.offset(at), &bytes)?;
        at += bytes.len() as u64;
    }
    segment.file.sync_data()
}
