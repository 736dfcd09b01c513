//! Recovery at the start: reads the folder and finds the end of the log.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, POSITION_GAP};
use crate::error::JournalError;
use crate::frame::Position;
use crate::owners::Owners;
use crate::preparer::UNFINISHED;
use crate::scan::{Item, Scan};
use crate::segment::{self, HeaderState, Segment, SegmentHeader};
use crate::state::{Drained, LiveSegment, Parked, State};
use crate::stats::Stats;
use crate::storage::Storage;
use crate::tail;

/// The result of the recovery at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments that are part of the log.
    pub segments: usize,
    /// Valid frames in them, whether or not they are in the database.
    pub frames: u64,
    /// Bytes of these frames, headers included.
    pub bytes: u64,
    /// Bytes at the end of the log that look like frames which were being written: never acknowledged.
    pub torn_tail_bytes: u64,
    /// Segments with damage in what had been durable, those set aside included.
    pub corrupt_segments: usize,
    /// Bytes of what had been durable that can't be read any more, those of segments set aside not counted.
    pub corrupt_bytes: u64,
    /// Files set aside because their header was damaged; they are kept for a human to look at.
    pub set_aside: Vec<String>,
    /// Where the log ended.
    pub end: Position,
    /// The database's checkpoint, if it lay beyond the end: the folder is older than the database, or lost
    /// something. Positions go on beyond the checkpoint.
    pub checkpoint_ahead: Option<Position>,
}

/// Reads the folder, sets damaged segments aside and makes sure of the end of the log.
pub(crate) fn recover(
    config: &Config,
    storage: &dyn Storage,
    journal: [u8; 16],
) -> Result<(State, RecoveryReport), JournalError> {
    let mut folder = Folder::read(config, storage, journal)?;
    let mut report =
        RecoveryReport { segments: folder.live.len(), set_aside: folder.set_aside, ..Default::default() };
    report.corrupt_segments = report.set_aside.len();

    let mut segments = VecDeque::new();
    let mut live = folder.live.into_iter().peekable();
    while let Some((segment, header)) = live.next() {
        let end = match live.peek() {
            Some((_, next)) => sealed_end(&segment, next.prev_end, &mut report)?,
            None => tail::recover(&segment, &header, &mut report)?,
        };
        report.end = report.end.max(Position(end));
        segments.push_back(LiveSegment { segment, end, failed: false, recovered: true });
    }

    // Every damaged header may have hidden one jump.
    let jumps = if segments.is_empty() && folder.damaged == 0 { 0 } else { 1 + folder.damaged };
    let durable = report.end.0;
    let highest = durable.max(segments.back().map_or(0, |last: &LiveSegment| last.segment.base));
    // Whatever the kernel shows of a spare: an earlier version recycled segments without overwriting them, and a process
    // that died may have failed to. They are overwritten once more, while the server starts.
    folder.spares.sort_by_key(|spare| spare.seq);
    let drained = folder.spares.into_iter().map(|spare| {
        let reuse = spare.len == config.segment_bytes;
        Drained::unknown(Arc::new(spare), reuse)
    });
    let drained = drained.collect();
    let state = State {
        queue: Vec::new(),
        oldest: None,
        inflight: 0,
        tail: highest + jumps * POSITION_GAP,
        appended: false,
        durable,
        wanted: 0,
        remaining: 0,
        planned: 0,
        segments,
        ready: VecDeque::new(),
        drained,
        overwriting: None,
        rotate: false,
        next_seq: folder.next_seq,
        released: 0,
        undrained: Owners::default(),
        unsynced: Owners::default(),
        blocked: None,
        prepare_failure: None,
        closing: false,
        finished: false,
        parked: Parked::Awake,
        stats: Stats::default(),
    };
    log(&report, &config.dir);
    Ok((state, report))
}

fn log(report: &RecoveryReport, dir: &Path) {
    let RecoveryReport { segments, frames, bytes, torn_tail_bytes, corrupt_segments, corrupt_bytes, .. } =
        report;
    let dir = dir.display();
    tracing::info!(%dir, segments, frames, bytes, torn_tail_bytes, end = report.end.0, "journal: recovered");
    if *corrupt_segments > 0 {
        let set_aside = report.set_aside.join(" ");
        tracing::error!(%dir, corrupt_segments, corrupt_bytes, set_aside, "journal: durable records are damaged; check the disk");
    }
}

/// Segments of the folder by what their header says.
struct Folder {
    live: Vec<(Arc<Segment>, SegmentHeader)>,
    spares: Vec<Segment>,
    set_aside: Vec<String>,
    /// Segments set aside, now or earlier.
    damaged: u64,
    next_seq: u64,
}

impl Folder {
    fn read(config: &Config, storage: &dyn Storage, journal: [u8; 16]) -> Result<Self, JournalError> {
        let dir = &config.dir;
        // A process that died may have left names that only the kernel's memory has; a spare among them will be used.
        storage.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
        let names = storage.list(dir).map_err(JournalError::io("list", dir))?;
        let mut folder = Self {
            live: Vec::new(),
            spares: Vec::new(),
            set_aside: Vec::new(),
            damaged: names.iter().filter(|name| name.starts_with("bad-")).count() as u64,
            next_seq: 1,
        };
        for name in names {
            let path = dir.join(&name);
            if name == UNFINISHED {
                storage.remove(&path).map_err(JournalError::io("remove", &path))?;
            }
            let Some(seq) = segment::parse_name(&name) else { continue };
            folder.next_seq = folder.next_seq.max(seq + 1);
            let read = || -> io::Result<_> {
                let file = storage.open(&path)?;
                let header = SegmentHeader::read(&*file, journal, seq)?;
                Ok((Segment::spare(dir, seq, file.len()?, file), header))
            };
            let (segment, header) = read().map_err(JournalError::io("open", &path))?;
            match header {
                HeaderState::Blank => folder.spares.push(segment),
                HeaderState::Live(header) => folder.live.push((Arc::new(segment.live(header.base)), header)),
                HeaderState::UnknownVersion(version) => {
                    let what = format!(
                        "{} has format version {version}; this server reads version 1",
                        segment::name(seq)
                    );
                    return Err(JournalError::Folder { dir: dir.to_owned(), what });
                }
                HeaderState::Damaged => {
                    let aside = format!("bad-{seq:016x}");
                    storage.rename(&path, &dir.join(&aside)).map_err(JournalError::io("rename", &path))?;
                    storage.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
                    folder.damaged += 1;
                    folder.set_aside.push(aside);
                }
            }
        }
        folder.live.sort_by_key(|(segment, _)| segment.seq);
        Ok(folder)
    }
}

/// The end of a segment that another follows: everything before where the log had come then was durable.
fn sealed_end(
    segment: &Arc<Segment>,
    prev_end: u64,
    report: &mut RecoveryReport,
) -> Result<u64, JournalError> {
    let end = prev_end.clamp(segment.base, segment.capacity_end());
    let mut scan = Scan::all(Arc::clone(segment), segment.base, end);
    let mut lost = 0;
    while let Some(item) = scan.next().map_err(segment.error("read"))? {
        match item {
            Item::Frame(header) => {
                report.frames += 1;
                report.bytes += header.frame_len() as u64;
            }
            Item::Bad { from, to } => lost += to - from,
        }
    }
    report.corrupt_bytes += lost;
    report.corrupt_segments += usize::from(lost > 0);
    Ok(end)
}
