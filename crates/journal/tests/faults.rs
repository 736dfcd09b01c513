//! Single things that go wrong, on a disk in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use loam_journal::sim::{Faults, SimStorage, Step, Stepped};
use loam_journal::{AppendError, Config, DurableError, Journal, JournalError, Position};

const KEY: [u8; 16] = [1; 16];

fn config() -> Config {
    Config {
        segment_bytes: 8192,
        disk_budget_bytes: 4 * 8192,
        memory_budget_bytes: 64 << 10,
        lazy_delay: Duration::from_hours(1),
        max_frame_bytes: 2000,
        ..Config::new("/journal")
    }
}

fn open(sim: &SimStorage) -> Stepped {
    Stepped::open(config(), Arc::new(sim.clone()), || [7; 16]).unwrap()
}

/// What happens in a while on a disk that can't do all that is asked of it.
fn run(journal: &mut Stepped) {
    for _ in 0..100 {
        journal.step_writer(true);
        journal.step_preparer(true);
    }
}

/// Frames of 1000 bytes, four to a segment, each durable before the next.
fn fill(journal: &mut Stepped, frames: u8) -> Vec<Position> {
    (0..frames)
        .map(|number| {
            let position = journal.append(number, KEY, &[&[number; 952]]).unwrap();
            run(journal);
            assert_eq!(durable_now(journal, position), Some(Ok(())));
            position
        })
        .collect()
}

fn kinds(journal: &Journal) -> Vec<u8> {
    journal.read(Position::START, usize::MAX).unwrap().frames.iter().map(|frame| frame.kind).collect()
}

fn segment(number: u64) -> PathBuf {
    format!("/journal/seg-{number:016x}").into()
}

fn durable_now(journal: &Journal, position: Position) -> Option<Result<(), DurableError>> {
    let mut future = journal.durable(position);
    match std::pin::Pin::new(&mut future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    {
        std::task::Poll::Ready(result) => Some(result),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn damage_in_a_sealed_segment_costs_that_frame_only() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    fill(&mut journal, 10);
    drop(journal);
    sim.flip(&segment(1), 4096 + 1000 + 500);
    // In the header of a frame, so that even its length is unknown.
    sim.flip(&segment(2), 4096 + 1000 + 5);
    let journal = open(&sim);
    let report = journal.recovery();
    assert_eq!((report.corrupt_segments, report.corrupt_bytes, report.torn_tail_bytes), (2, 2000, 0));
    assert_eq!(kinds(&journal), [0, 2, 3, 4, 6, 7, 8, 9]);
    assert_eq!(journal.find(KEY).unwrap().len(), 8);
}

#[test]
fn damage_in_the_last_segment_is_told_from_a_torn_tail() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    fill(&mut journal, 3);
    // Two in one write: nothing after them proves that they were durable.
    journal.append(3, KEY, &[&[3; 100]]).unwrap();
    drop(journal);
    sim.flip(&segment(1), 4096 + 500);
    let journal = open(&sim);
    let report = journal.recovery();
    assert_eq!((report.corrupt_segments, report.corrupt_bytes, report.torn_tail_bytes), (1, 1000, 0));
    assert_eq!(kinds(&journal), [1, 2]);
    drop(journal);

    let torn = SimStorage::new(1);
    let mut journal = open(&torn);
    fill(&mut journal, 2);
    journal.append(2, KEY, &[&[2; 952]]).unwrap();
    let torn_off = journal.append(3, KEY, &[&[3; 952]]).unwrap();
    assert!(journal.settle());
    drop(journal);
    torn.flip(&segment(1), 4096 + 2500);
    let mut journal = open(&torn);
    let report = journal.recovery();
    assert_eq!((report.corrupt_segments, report.torn_tail_bytes), (0, 2000));
    assert_eq!(kinds(&journal), [0, 1]);
    // The damage is healed, yet what lay behind the tear must not come back.
    assert!(fill(&mut journal, 1)[0] > torn_off, "a position that reached the disk is not used again");
    drop(journal);
    torn.flip(&segment(1), 4096 + 2500);
    assert_eq!(kinds(&open(&torn)), [0, 1, 0]);
}

#[test]
fn a_segment_with_a_damaged_header_is_set_aside_and_positions_go_on() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    let before = fill(&mut journal, 6);
    drop(journal);
    sim.flip(&segment(2), 40);
    let mut journal = open(&sim);
    let report = journal.recovery();
    assert_eq!((report.corrupt_segments, report.set_aside), (1, vec!["bad-0000000000000002".to_owned()]));
    assert_eq!(kinds(&journal), [0, 1, 2, 3]);
    assert!(fill(&mut journal, 1)[0] > before[5]);
}

#[test]
fn an_old_copy_of_the_folder_goes_on_beyond_the_checkpoint() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    fill(&mut journal, 2);
    let copy = sim.copy();
    let checkpoint = Position(fill(&mut journal, 2)[1].0 + (1 << 40));
    drop(journal);

    let mut journal = open(&copy);
    journal.start_after(checkpoint).unwrap();
    assert_eq!(journal.recovery().checkpoint_ahead, Some(checkpoint));
    assert_eq!(kinds(&journal), [0u8; 0], "the database has these, and more");
    let next = fill(&mut journal, 1)[0];
    assert!(next > checkpoint);
    assert!(matches!(journal.start_after(checkpoint), Err(JournalError::StartedAlready)));
    assert_eq!(journal.read(checkpoint, 0).unwrap().next, next);
    drop(journal);
    let journal = open(&copy);
    journal.start_after(checkpoint).unwrap();
    assert_eq!(journal.recovery().checkpoint_ahead, None);
    assert_eq!(kinds(&journal), [0]);
}

#[test]
fn a_used_up_budget_refuses_and_recovers_after_release() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    let positions = fill(&mut journal, 16);
    assert_eq!(journal.append(0, KEY, &[&[0; 952]]), Err(AppendError::Full));
    assert_eq!(journal.stats().segment_bytes, config().disk_budget_bytes);
    journal.released(positions[3]);
    assert!(journal.settle());
    fill(&mut journal, 4);
    assert_eq!(journal.append(0, KEY, &[&[0; 952]]), Err(AppendError::Full));
    assert_eq!((journal.stats().refused_full, journal.stats().undrained_bytes), (2, 16_000));

    let mut journal = Stepped::open(
        Config { memory_budget_bytes: 3000, dir: "/other".into(), ..config() },
        Arc::new(sim.clone()),
        || [8; 16],
    )
    .unwrap();
    assert!(journal.append(0, KEY, &[&[0; 1952]]).is_ok());
    assert!(journal.append(0, KEY, &[&[0; 952]]).is_ok());
    assert_eq!(journal.append(0, KEY, &[]), Err(AppendError::Full));
    assert!(journal.settle());
    assert!(journal.append(0, KEY, &[]).is_ok());
}

#[test]
fn a_full_disk_refuses_and_nothing_taken_is_lost() {
    let sim = SimStorage::new(1);
    sim.set_capacity(8192 + 4096);
    let mut journal = open(&sim);
    fill(&mut journal, 4);
    assert_eq!(journal.append(4, KEY, &[&[4; 952]]), Err(AppendError::Full), "no second segment can be made");
    sim.set_capacity(u64::MAX);
    assert!(journal.settle());
    fill(&mut journal, 1);
    assert_eq!(kinds(&journal), [0, 1, 2, 3, 0]);

    // Taken before the disk turned out to be full: told to who waits, and written when there is room.
    let full = SimStorage::new(1);
    let mut journal = open(&full);
    let position = journal.append(9, KEY, &[b"x"]).unwrap();
    full.set_capacity(100);
    run(&mut journal);
    assert_eq!(durable_now(&journal, position), Some(Err(DurableError::Full)));
    assert_eq!(journal.append(9, KEY, &[]), Err(AppendError::Full));
    full.set_capacity(u64::MAX);
    assert!(journal.settle());
    assert_eq!(durable_now(&journal, position), Some(Ok(())));
}

#[test]
fn a_failing_disk_is_told_and_retried() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    fill(&mut journal, 1);
    sim.set_faults(Faults { sync: 100, ..Faults::default() });
    let position = journal.append(1, KEY, &[b"x"]).unwrap();
    assert_eq!(durable_now(&journal, position), None);
    assert_eq!(journal.step_writer(false), Step::Progress);
    assert_eq!(durable_now(&journal, position), None, "a fresh segment is tried first");
    assert_eq!(journal.step_writer(false), Step::Progress);
    assert_eq!(durable_now(&journal, position), Some(Err(DurableError::Failed)));
    assert_eq!(journal.append(1, KEY, &[]), Err(AppendError::Failed));
    assert_eq!(journal.step_writer(false), Step::Idle, "not before its time");
    sim.set_faults(Faults::default());
    assert!(journal.settle());
    assert_eq!(durable_now(&journal, position), Some(Ok(())));
    assert!(journal.append(2, KEY, &[]).is_ok());
    assert!(journal.settle());
    assert_eq!(kinds(&journal), [0, 1, 2]);
    assert!(journal.stats().last_error.unwrap().contains("sync"));
}

#[test]
fn failures_neither_use_the_budget_up_nor_exceed_it() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    fill(&mut journal, 2);
    sim.set_faults(Faults { sync: 100, ..Faults::default() });
    journal.append(2, KEY, &[&[2; 952]]).unwrap();
    // The preparer goes on to make segments for a disk that refuses to sync them only now and then.
    for round in 0..200 {
        sim.set_faults(Faults { sync: if round % 2 == 0 { 100 } else { 0 }, ..Faults::default() });
        if round % 2 == 0 {
            journal.step_writer(true)
        } else {
            journal.step_preparer(true)
        };
    }
    assert_eq!(journal.stats().segments, 1, "segments in which nothing became durable are not kept");
    sim.set_faults(Faults::default());
    run(&mut journal);
    let mut more = 0;
    while journal.append(more, KEY, &[&[more; 952]]).is_ok() {
        run(&mut journal);
        more += 1;
    }
    // Two in the segment that was given up, four in each of three others.
    assert_eq!((more, journal.stats().segment_bytes), (11, config().disk_budget_bytes));
    assert_eq!(kinds(&journal).len(), 14);
}

#[test]
fn segments_are_recycled_and_the_folder_keeps_its_size() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    for _ in 0..50 {
        let positions = fill(&mut journal, 8);
        assert_eq!(kinds(&journal).len(), 8);
        journal.released(positions[7]);
        assert!(journal.settle());
    }
    let stats = journal.stats();
    assert_eq!((stats.segments, stats.spare_segments, stats.undrained_bytes), (1, 2, 0));
    let names = loam_journal::Storage::list(&sim, "/journal".as_ref()).unwrap();
    assert_eq!(names.iter().filter(|name| name.starts_with("seg-")).count(), 3, "{names:?}");
}

#[test]
fn what_is_drained_is_overwritten_on_request() {
    let sim = SimStorage::new(1);
    let left = || sim.bytes_left("/journal".as_ref(), 4096);
    let mut journal = open(&sim);
    assert!(journal.overwritten() >= journal.overwrite_drained(), "nothing was written yet");
    let positions = fill(&mut journal, 6);
    journal.released(positions[5]);
    assert!(journal.settle());
    assert!(left() > 1900, "the present segment is not overwritten by itself: {}", left());
    let position = journal.overwrite_drained();
    assert!(journal.overwritten() < position);
    assert!(journal.settle());
    assert!(journal.overwritten() >= position);
    assert_eq!(left(), 0);
    assert_eq!(journal.overwrite_drained(), position, "there is nothing more to do");
    assert_eq!(journal.stats().segments, 1);

    // What isn't drained stays, whatever is asked for, and is overwritten with the next that is.
    let positions = fill(&mut journal, 3);
    journal.released(positions[0]);
    let position = journal.overwrite_drained();
    assert!(journal.settle());
    assert!(journal.overwritten() < position);
    assert_eq!(kinds(&journal), [1, 2]);
    fill(&mut journal, 1);
    assert_eq!(kinds(&journal), [1, 2, 0]);
    journal.released(positions[2]);
    assert!(journal.settle());
    assert!(journal.overwritten() >= position);
    assert_eq!(kinds(&journal), [0]);
}

#[test]
fn a_request_in_full_flight_loses_nothing() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    fill(&mut journal, 2);
    journal.append(2, KEY, &[&[2; 952]]).unwrap();
    journal.overwrite_drained();
    let last = journal.append(3, KEY, &[&[3; 952]]).unwrap();
    assert!(journal.settle());
    assert_eq!(durable_now(&journal, last), Some(Ok(())));
    assert_eq!(kinds(&journal), [0, 1, 2, 3]);
    // With the budget used up there is no fresh segment until something is drained.
    while journal.append(4, KEY, &[&[4; 952]]).is_ok() {
        run(&mut journal);
    }
    let position = journal.overwrite_drained();
    run(&mut journal);
    assert_eq!(journal.stats().segment_bytes, config().disk_budget_bytes);
    journal.released(journal.end());
    assert!(journal.settle());
    assert!(journal.overwritten() >= position);
    assert_eq!(sim.bytes_left("/journal".as_ref(), 4096), 0);
}

#[test]
fn power_that_fails_while_a_segment_is_overwritten_leaves_no_damage_and_no_text() {
    for operation in 1..20 {
        let sim = SimStorage::new(operation);
        let mut journal = open(&sim);
        let positions = fill(&mut journal, 6);
        journal.released(positions[5]);
        journal.overwrite_drained();
        sim.cut_power(operation);
        run(&mut journal);
        drop(journal);
        sim.crash();
        let mut journal = open(&sim);
        let report = journal.recovery();
        assert_eq!((report.corrupt_segments, report.corrupt_bytes), (0, 0), "{operation}: {report:?}");
        journal.start_after(positions[5]).unwrap();
        assert_eq!(kinds(&journal), [0u8; 0]);
        let position = journal.overwrite_drained();
        assert!(journal.settle());
        assert!(journal.overwritten() >= position, "{operation}");
        assert_eq!(sim.bytes_left("/journal".as_ref(), 4096), 0, "{operation}");
    }
}

#[test]
fn spares_of_an_earlier_version_are_overwritten() {
    let sim = SimStorage::new(1);
    let mut journal = open(&sim);
    let positions = fill(&mut journal, 1);
    drop(journal);
    // Recycled as it was done then: the header alone is blank.
    let file = loam_journal::Storage::open(&sim, &segment(2)).unwrap();
    file.write_at(4096, b"a text from before").unwrap();
    file.sync_data().unwrap();
    let mut journal = open(&sim);
    journal.start_after(positions[0]).unwrap();
    let position = journal.overwrite_drained();
    assert!(journal.settle());
    assert!(journal.overwritten() >= position);
    assert_eq!(sim.bytes_left("/journal".as_ref(), 4096), 0);
}

#[test]
fn a_folder_that_is_not_a_journal_is_refused() {
    let sim = SimStorage::new(1);
    let journal = open(&sim);
    let again = Stepped::open(config(), Arc::new(sim.clone()), || [7; 16]);
    assert!(matches!(again.err(), Some(JournalError::Locked(_))));
    drop(journal);
    let mut journal = open(&sim);
    fill(&mut journal, 1);
    drop(journal);
    loam_journal::Storage::remove(&sim, "/journal/journal.id".as_ref()).unwrap();
    let error = Stepped::open(config(), Arc::new(sim.clone()), || [7; 16]).err().unwrap();
    assert!(error.to_string().contains("no journal.id"), "{error}");
}

#[test]
fn a_contradictory_configuration_is_refused_with_the_reason() {
    let refused = |config: Config, what: &str| {
        let error =
            Stepped::open(config, Arc::new(SimStorage::new(1)), || [7; 16]).err().unwrap().to_string();
        assert!(error.contains(what), "{error}");
    };
    refused(Config { segment_bytes: 10_000, ..config() }, "segment_bytes");
    refused(Config { segment_bytes: 4096, ..config() }, "max_frame_bytes");
    refused(Config { max_frame_bytes: 0, ..config() }, "max_frame_bytes");
    refused(Config { max_frame_bytes: usize::MAX, ..config() }, "max_frame_bytes");
    refused(Config { disk_budget_bytes: 8192, ..config() }, "disk_budget_bytes");
    refused(Config { memory_budget_bytes: 2000, ..config() }, "memory_budget_bytes");
    refused(Config { spare_segments: 0, ..config() }, "spare_segments");
    refused(Config { lazy_delay: Duration::MAX, ..config() }, "lazy_delay");
    refused(Config { dir: PathBuf::new(), ..config() }, "dir");
}
