//! How fast is a durable append, beside the raw write and `fdatasync` of the same bytes in the same run?
//! `cargo run --release --example bench [FOLDER]`; the folder should be on the disk that matters.
//!
//! Two limits, both on a file of zeros: `one` writes and syncs a record at a time, `group` the records of all
//! callers at once. Callers are tasks on two `current_thread` runtimes; a drainer reads and releases meanwhile. The
//! three take turns in short slices, so that whatever else the machine does meets them alike.

#![expect(clippy::print_stdout, reason = "it is a program whose figures are for a person")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use loam_journal::{AppendError, Config, DiskStorage, Journal, Position};

const SLICE: Duration = Duration::from_millis(250);
const SLICES: usize = 10;

#[derive(Default)]
struct Outcome {
    times: Vec<Duration>,
    records: usize,
    took: Duration,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.records += other.records;
        self.took += other.took;
    }

    fn rate(&self) -> f64 {
        self.records as f64 / self.took.as_secs_f64()
    }

    fn at(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        times[((times.len() - 1) as f64 * share) as usize]
    }

    fn print(&self, name: &str) {
        println!(
            "  {name:<8} {:>9.0} records/s   p50 {:>9.3?}   p99 {:>9.3?}",
            self.rate(),
            self.at(0.5),
            self.at(0.99)
        );
    }

    /// Rate and median of `self` as shares of those of `limit`.
    fn ratio(&self, limit: &Self) -> (f64, f64) {
        (self.rate() / limit.rate(), self.at(0.5).as_secs_f64() / limit.at(0.5).as_secs_f64())
    }
}

/// A file of zeros.
fn zeros(path: &Path, len: usize) -> std::io::Result<File> {
    let file = File::create(path)?;
    file.write_all_at(&vec![0; len], 0)?;
    file.sync_all()?;
    Ok(file)
}

fn raw(file: &File, len: usize, record: usize, group: usize) -> std::io::Result<Outcome> {
    let bytes = vec![7; record * group];
    let (start, mut times, mut at) = (Instant::now(), Vec::new(), 0);
    while start.elapsed() < SLICE {
        let before = Instant::now();
        file.write_all_at(&bytes, at as u64)?;
        file.sync_data()?;
        times.push(before.elapsed());
        at += bytes.len();
        if at + bytes.len() > len {
            at = 0;
        }
    }
    Ok(Outcome { records: times.len() * group, took: start.elapsed(), times })
}

async fn caller(
    journal: Journal,
    payload: Arc<Vec<u8>>,
    start: Instant,
    refused: Arc<AtomicU64>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    while start.elapsed() < SLICE {
        let before = Instant::now();
        let position = match journal.append(1, [7; 16], &[&payload]) {
            Ok(position) => position,
            Err(AppendError::Full) => {
                refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        journal.durable(position).await.expect("a working disk");
        times.push(before.elapsed());
    }
    times
}

fn callers(journal: &Journal, record: usize, callers: usize, refused: &Arc<AtomicU64>) -> Outcome {
    let payload = Arc::new(vec![7; record]);
    let start = Instant::now();
    let on_a_runtime = |callers: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            journal.attach_runtime().expect("a runtime is there");
            #[expect(clippy::disallowed_methods, reason = "every task is waited for below")]
            let task =
                || tokio::spawn(caller(journal.clone(), Arc::clone(&payload), start, Arc::clone(refused)));
            let tasks = (0..callers).map(|_| task()).collect::<Vec<_>>();
            let mut times = Vec::new();
            for task in tasks {
                times.extend(task.await.expect("callers don't panic"));
            }
            times
        })
    };
    let times = std::thread::scope(|scope| {
        let other = scope.spawn(|| on_a_runtime(callers / 2));
        let mut times = on_a_runtime(callers.div_ceil(2));
        times.extend(other.join().expect("callers don't panic"));
        times
    });
    Outcome { records: times.len(), took: start.elapsed(), times }
}

fn drain(journal: &Journal, stop: &AtomicBool) {
    let mut after = Position::START;
    while !stop.load(Ordering::Relaxed) {
        let batch = journal.read(after, 4 << 20).expect("a readable journal");
        if batch.frames.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        after = batch.next;
        journal.released(after);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(folder)?;
    for record in [600, 200_000] {
        for count in [1, 32, 256] {
            let config = Config::new(dir.path().join("journal"));
            let journal = Journal::open(config, Arc::new(DiskStorage), || [1; 16])?;
            let stop = AtomicBool::new(false);
            let refused = Arc::new(AtomicU64::new(0));
            // The first start fills segments with zeros; that is not what is measured.
            while journal.stats().spare_segments < 2 {
                std::thread::sleep(Duration::from_millis(20));
            }
            let len = (32 << 20).max(record * count);
            let file = zeros(&dir.path().join("raw"), len)?;
            let [mut one, mut group, mut ours] = <[Outcome; 3]>::default();
            std::thread::scope(|scope| {
                scope.spawn(|| drain(&journal, &stop));
                let measured = (0..SLICES).try_for_each(|_| {
                    one.add(raw(&file, len, record, 1)?);
                    group.add(raw(&file, len, record, count)?);
                    ours.add(callers(&journal, record, count, &refused));
                    std::io::Result::Ok(())
                });
                stop.store(true, Ordering::Relaxed);
                measured
            })?;
            println!("{record} bytes, {count} callers");
            one.print("one");
            group.print("group");
            ours.print("journal");
            let stats = journal.stats();
            for (name, limit) in [("one", &one), ("group", &group)] {
                let (rate, p50) = ours.ratio(limit);
                println!("  journal/{name}: rate {rate:.2}, p50 {p50:.2}");
            }
            let (records, refused) =
                (stats.frames as f64 / stats.syncs.max(1) as f64, refused.load(Ordering::Relaxed));
            println!("  {records:.1} records a sync, {refused} appends refused for the budget");
            journal.close()?;
        }
    }
    Ok(())
}
