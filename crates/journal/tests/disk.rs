//! The real disk, real threads, and tasks on two `current_thread` runtimes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loam_journal::{AppendError, Config, DiskStorage, DurableError, Journal, JournalError, Position};
use tokio::task::JoinSet;

fn config(dir: &tempfile::TempDir) -> Config {
    Config {
        segment_bytes: 1 << 20,
        disk_budget_bytes: 64 << 20,
        max_frame_bytes: 256 << 10,
        ..Config::new(dir.path().join("journal"))
    }
}

fn open(config: Config) -> Journal {
    Journal::open(config, Arc::new(DiskStorage), || *b"journal-of-tests").unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn key(thread: u64, task: u64) -> [u8; 16] {
    (u128::from(thread) << 64 | u128::from(task)).to_be_bytes()
}

/// `tasks` tasks append and wait, `rounds` times each; large frames among them, so that segments roll over.
fn callers(journal: Journal, thread: u64, attach: bool, tasks: u64, rounds: u64) {
    runtime().block_on(async {
        if attach {
            journal.attach_runtime().unwrap();
        }
        let mut set = JoinSet::new();
        for task in 0..tasks {
            let journal = journal.clone();
            set.spawn(async move {
                for round in 0..rounds {
                    let filler = vec![round as u8; if (task + round) % 37 == 0 { 100_000 } else { 500 }];
                    let payload = [&round.to_be_bytes()[..], &filler];
                    let position = loop {
                        match journal.append(1, key(thread, task), &payload) {
                            Ok(position) => break position,
                            Err(AppendError::Full) => tokio::time::sleep(Duration::from_millis(1)).await,
                            Err(error) => panic!("{error}"),
                        }
                    };
                    if round % 7 == 3 {
                        // A caller that hangs up while waiting.
                        drop(tokio::time::timeout(Duration::ZERO, journal.durable(position)).await);
                    } else {
                        journal.durable(position).await.unwrap();
                    }
                }
            });
        }
        let all = async { while set.join_next().await.transpose().unwrap().is_some() {} };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("a wake-up was lost");
    });
}

/// Reads and releases until `frames` have come; the last round of each key.
fn drain(journal: &Journal, frames: u64) -> BTreeMap<[u8; 16], u64> {
    let mut rounds = BTreeMap::new();
    let mut after = Position::START;
    let mut seen = 0;
    while seen < frames {
        runtime().block_on(journal.wait_for_frames(after)).unwrap();
        let batch = journal.read(after, 1 << 20).unwrap();
        for frame in batch.frames {
            let round = u64::from_be_bytes(frame.payload[..8].try_into().unwrap());
            let before = rounds.insert(frame.key, round);
            assert_eq!(round, before.map_or(0, |before| before + 1), "in order, once");
            assert!(frame.payload[8..].iter().all(|byte| *byte == round as u8));
            assert!(frame.position > after);
            after = frame.position;
            seen += 1;
        }
        journal.released(after);
    }
    rounds
}

#[test]
fn many_tasks_on_two_runtimes_lose_nothing_and_no_wake_up() {
    for attach in [[true, true], [true, false], [false, false]] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(config(&dir));
        const TASKS: u64 = 100;
        const ROUNDS: u64 = 40;
        let rounds = std::thread::scope(|scope| {
            for (thread, attach) in attach.into_iter().enumerate() {
                let journal = journal.clone();
                scope.spawn(move || callers(journal, thread as u64, attach, TASKS, ROUNDS));
            }
            scope.spawn(|| drain(&journal, 2 * TASKS * ROUNDS)).join().unwrap()
        });
        assert_eq!(rounds.len() as u64, 2 * TASKS);
        assert!(rounds.values().all(|round| *round == ROUNDS - 1));
        let stats = journal.stats();
        assert_eq!((stats.frames, stats.queued_bytes, stats.failures), (2 * TASKS * ROUNDS, 0, 0));
        assert!(stats.syncs < stats.frames / 4, "group commit: {stats:?}");
        journal.close().unwrap();
    }
}

#[test]
fn a_frame_nobody_waits_for_becomes_durable_soon() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(Config { lazy_delay: Duration::from_millis(5), ..config(&dir) });
    for round in 0..20u64 {
        let before = Instant::now();
        let position = journal.append(0, key(0, round), &[b"lazy"]).unwrap();
        while journal.find(key(0, round)).unwrap().is_empty() {
            assert!(before.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_micros(200));
        }
        assert!(journal.read(Position(position.0 - 1), 0).unwrap().next >= position);
        // Sometimes right after the last, sometimes when the writer sleeps.
        std::thread::sleep(Duration::from_millis(round % 4 * 10));
    }
    journal.close().unwrap();
}

#[test]
fn callers_without_a_runtime_may_block() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(Config { lazy_delay: Duration::from_secs(600), ..config(&dir) });
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                for task in 0..50 {
                    let position = journal.append(0, key(thread, task), &[]).unwrap();
                    journal.durable_blocking(position).unwrap();
                }
            });
        }
    });
    // On a thread whose runtime has a dispatcher, too: it can't run while the thread is blocked.
    runtime().block_on(async {
        journal.attach_runtime().unwrap();
        let position = journal.append(0, key(9, 9), &[]).unwrap();
        journal.durable_blocking(position).unwrap();
    });
    assert!(matches!(journal.attach_runtime(), Err(JournalError::NoRuntime)));
    journal.close().unwrap();
}

#[test]
fn a_waiter_outlives_the_runtime_that_would_have_woken_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(config(&dir));
    let waited_for = journal.clone();
    let mut waiting = Box::pin(async move { waited_for.wait_for_frames(Position::START).await });
    runtime().block_on(async {
        journal.attach_runtime().unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut waiting).await.is_err());
    });
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            runtime()
                .block_on(async { tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap() })
        });
        std::thread::sleep(Duration::from_millis(20));
        journal.append(0, key(1, 1), &[]).unwrap();
        waiter.join().unwrap().unwrap();
    });
    journal.close().unwrap();
}

#[test]
fn closing_makes_durable_what_is_queued_and_ends_everything() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { lazy_delay: Duration::from_secs(600), ..config(&dir) };
    let journal = open(config.clone());
    let id = journal.id();
    let last =
        (0..1000u64).map(|task| journal.append(3, key(0, task), &[&[5; 2000]]).unwrap()).max().unwrap();
    let again = Journal::open(config.clone(), Arc::new(DiskStorage), || [0; 16]);
    assert!(matches!(again.err(), Some(JournalError::Locked(_))));
    journal.close().unwrap();
    journal.close().unwrap();
    assert_eq!(journal.append(3, key(0, 0), &[]), Err(AppendError::Closed));
    runtime().block_on(async {
        journal.durable(last).await.unwrap();
        assert_eq!(journal.wait_for_frames(last).await, Err(DurableError::Closed));
    });

    let journal = open(config.clone());
    assert_eq!(journal.id(), id);
    let report = journal.recovery();
    assert_eq!((report.frames, report.end, report.torn_tail_bytes), (1000, last, 0));
    assert!(journal.append(3, key(0, 1), &[]).unwrap() > last);
    // Without `close` it neither hangs nor loses what is queued, and lets go of the folder.
    drop(journal);
    let deadline = Instant::now() + Duration::from_secs(20);
    let journal = loop {
        match Journal::open(config.clone(), Arc::new(DiskStorage), || [0; 16]) {
            Ok(journal) => break journal,
            Err(JournalError::Locked(_)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1))
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(journal.recovery().frames, 1001);
    assert_eq!(journal.find(key(0, 1)).unwrap().len(), 2);
}

#[test]
fn the_end_is_that_of_the_last_frame_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(config(&dir));
    assert_eq!(journal.end(), Position::START);
    let last = journal.append(1, key(1, 1), &[b"payload"]).unwrap();
    assert_eq!(journal.end(), last);
    journal.close().unwrap();
    drop(journal);
    let journal = open(config(&dir));
    journal.start_after(last).unwrap();
    assert_eq!(journal.end(), last, "whoever waits for the end to be drained would wait for ever");
    let next = journal.append(1, key(1, 2), &[b"payload"]).unwrap();
    assert_eq!(journal.end(), next);
    assert!(next > last);
}
