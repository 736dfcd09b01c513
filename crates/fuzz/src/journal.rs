//! A journal with corrupted files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loam_journal::sim::{SimStorage, Stepped};
use loam_journal::{Config, Position, Storage};

const SEGMENT: u64 = 8192;

/// Overwrites part of a segment: the journal opens, reads the intact frames, and accepts more. The first two bytes are the
/// offset.
pub fn journal(bytes: &[u8]) {
    let [high, low, patch @ ..] = bytes else { return };
    let storage = SimStorage::new(1);
    let mut first = open(&storage, Position::START);
    for number in 0_u8..8 {
        _ = first.append(1, [number; 16], &[&[number; 40]]);
    }
    assert!(first.settle(), "the journal does not settle");
    drop(first);
    storage.crash();

    let folder = Path::new("/journal");
    let names = storage.list(folder).unwrap_or_default();
    let segment = names.iter().filter(|name| name.starts_with("seg-")).min();
    if let Some(Ok(file)) = segment.map(|name| storage.open(&folder.join(name))) {
        let at = (u64::from(*high) << 8 | u64::from(*low)) % SEGMENT;
        let available = usize::try_from(SEGMENT - at).unwrap_or_default();
        _ = file.write_at(at, &patch[..patch.len().min(available)]);
        _ = file.sync_data();
    }

    let mut journal = open(&storage, Position::START);
    let mut after = Position::START;
    while let Ok(batch) = journal.read(after, 1 << 16) {
        let Some(last) = batch.frames.last() else { break };
        assert!(last.position > after, "reading does not advance");
        after = last.position;
    }
    let added = journal.append(1, [9; 16], &[b"more"]).expect("room for a frame");
    assert!(journal.settle(), "the journal does not settle");
    let found = journal.find([9; 16]).expect("readable");
    assert!(found.iter().any(|frame| frame.position == added), "the appended frame is missing");
}

fn open(storage: &SimStorage, checkpoint: Position) -> Stepped {
    let config = Config {
        segment_bytes: SEGMENT,
        disk_budget_bytes: SEGMENT * 8,
        memory_budget_bytes: 16_384,
        lazy_delay: Duration::from_hours(1),
        max_frame_bytes: 3000,
        spare_segments: 1,
        ..Config::new("/journal")
    };
    let journal = Stepped::open(config, Arc::new(storage.clone()), || [7; 16]).expect("a journal");
    journal.start_after(checkpoint).expect("a start");
    journal
}
