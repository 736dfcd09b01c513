//! A world in which a journal lives and dies, and what it must never do.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loam_journal::sim::{Faults, Rng, SimStorage, Stepped};
use loam_journal::{AppendError, Config, Durable, Frame, JournalError, Position};

/// A frame as it was appended. Its number is its place in `World::records`, and the start of its payload.
struct Record {
    position: Position,
    /// It was acknowledged, or seen by a reader: from now on it has to be there.
    must: bool,
    /// A database has it.
    delivered: bool,
}

pub struct World {
    pub rng: Rng,
    pub sim: SimStorage,
    config: Config,
    /// All payloads are this long: so frames of different lives lie at the same places.
    same_len: Option<usize>,
    records: Vec<Record>,
    /// The database's checkpoint.
    checkpoint: Position,
    /// The highest position known to be durable.
    highest: Position,
    /// The first record of the present session.
    session: usize,
    pending: Vec<(Durable, Position)>,
    pub acknowledged: u64,
    pub refused: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let segment_bytes = 8192 + 4096 * rng.below(3);
        let config = Config {
            segment_bytes,
            disk_budget_bytes: segment_bytes * (2 + rng.below(4)),
            memory_budget_bytes: 4000 + rng.below(16_000) as usize,
            lazy_delay: Duration::from_hours(1),
            max_frame_bytes: 3000,
            spare_segments: 1 + rng.below(3) as usize,
            ..Config::new("/journal")
        };
        let sim = SimStorage::new(rng.next_u64());
        let same_len = rng.chance(40).then(|| 8 + rng.below(300) as usize);
        let (records, pending) = (Vec::new(), Vec::new());
        let (checkpoint, highest) = (Position::START, Position::START);
        Self {
            rng,
            sim,
            config,
            same_len,
            records,
            checkpoint,
            highest,
            session: 0,
            pending,
            acknowledged: 0,
            refused: 0,
        }
    }

    /// Opens the journal, however often the power fails meanwhile, and checks what is there.
    pub fn open(&mut self) -> Stepped {
        if self.rng.chance(20) {
            self.sim.cut_power(1 + self.rng.below(6));
        }
        let journal = loop {
            match Stepped::open(self.config.clone(), Arc::new(self.sim.clone()), || [9; 16]) {
                Ok(journal) => break journal,
                Err(error) => {
                    assert!(
                        matches!(error, JournalError::Io { .. }),
                        "recovery refused what a crash left: {error}"
                    );
                    assert!(
                        self.sim.is_cut() || self.sim.is_faulty(),
                        "recovery failed on a good disk: {error}"
                    );
                    self.calm();
                    self.sim.crash();
                }
            }
        };
        let report = journal.recovery();
        assert_eq!(journal.id(), [9; 16]);
        assert_eq!(
            (report.corrupt_segments, report.corrupt_bytes),
            (0, 0),
            "a crash is no damage: {report:?}"
        );
        assert_eq!(report.checkpoint_ahead, None, "the log lost what a database has");
        journal.start_after(self.checkpoint).unwrap();
        self.session = self.records.len();
        self.pending.clear();
        self.check_all(&journal);
        journal
    }

    /// No faults, no limits.
    pub fn calm(&self) {
        self.sim.set_faults(Faults::default());
        self.sim.set_capacity(u64::MAX);
    }

    /// One thing that happens in a server's life.
    pub fn act(&mut self, journal: &mut Stepped) {
        match self.rng.below(100) {
            0..40 => self.append(journal),
            40..55 => self.ask(journal),
            55..75 => drop(journal.step_writer(self.rng.chance(20))),
            75..85 => drop(journal.step_preparer(self.rng.chance(50))),
            85..92 => self.drain(journal),
            92..95 => self.find(journal),
            95 => drop(journal.overwrite_drained()),
            _ => self.upset(),
        }
        self.poll();
    }

    pub fn append(&mut self, journal: &Stepped) {
        let number = self.records.len() as u64;
        let len = match (self.same_len, self.rng.below(10)) {
            (Some(len), _) => len,
            (None, 0) => 3000,
            (None, 1..4) => 8 + self.rng.below(2900) as usize,
            (None, _) => 8 + self.rng.below(200) as usize,
        };
        let payload = filled(number, len);
        let (head, tail) = payload.split_at(self.rng.next_u64() as usize % (payload.len() + 1));
        match journal.append(kind(number), key(number), &[head, tail]) {
            Ok(position) => {
                let before =
                    self.records[self.session..].last().map_or(self.highest, |record| record.position);
                assert!(position > before.max(self.highest), "a position came again");
                self.records.push(Record { position, must: false, delivered: false });
            }
            Err(AppendError::Full | AppendError::Failed) => self.refused += 1,
            Err(error) => panic!("append: {error}"),
        }
    }

    /// Someone waits for a frame of this session.
    fn ask(&mut self, journal: &Stepped) {
        let frames = self.records.len() - self.session;
        if frames > 0 {
            let position = self.records[self.session + self.rng.below(frames as u64) as usize].position;
            self.pending.push((journal.durable(position), position));
        }
    }

    pub fn poll(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let mut acknowledged = self.highest;
        self.pending.retain_mut(|(durable, position)| match Pin::new(durable).poll(&mut context) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                if result.is_ok() {
                    acknowledged = acknowledged.max(*position);
                    self.acknowledged += 1;
                }
                false
            }
        });
        self.highest = acknowledged;
        for record in &mut self.records[self.session..] {
            record.must |= record.position <= acknowledged;
        }
    }

    /// The drainer moves a batch into the database, or dies before its transaction commits.
    pub fn drain(&mut self, journal: &Stepped) {
        let batch = journal.read(self.checkpoint, self.rng.below(6000) as usize).unwrap();
        let numbers = batch.frames.iter().map(|frame| self.check(frame)).collect::<Vec<_>>();
        if self.rng.chance(20) {
            return;
        }
        for number in numbers {
            assert!(!self.records[number].delivered, "frame {number} was read twice");
            self.records[number].delivered = true;
        }
        assert!(batch.next >= self.checkpoint);
        self.checkpoint = batch.next;
        journal.released(batch.next);
    }

    fn find(&mut self, journal: &Stepped) {
        let wanted = key(self.rng.below(8));
        let found = journal.find(wanted).unwrap();
        let found = found.iter().map(|frame| self.check(frame)).collect::<Vec<_>>();
        let owed = self.owed().filter(|number| key(*number as u64) == wanted).collect::<Vec<_>>();
        assert_eq!(found, owed, "find must show every durable frame that is not released");
    }

    fn upset(&mut self) {
        self.calm();
        let mut percent = || if self.rng.chance(50) { 0 } else { self.rng.below(60) };
        let faults = Faults { write: percent(), sync: percent(), names: percent() };
        match self.rng.below(4) {
            0 => self.sim.set_faults(faults),
            1 => self.sim.set_capacity(self.config.segment_bytes * self.rng.below(5)),
            _ => {}
        }
    }

    /// A frame must be one that was appended, unchanged; it has been seen, so it has to stay.
    fn check(&mut self, frame: &Frame) -> usize {
        let number = u64::from_le_bytes(frame.payload[..8].try_into().unwrap());
        let record = &mut self.records[number as usize];
        assert_eq!(frame.position, record.position, "frame {number} moved");
        assert_eq!((frame.kind, frame.key), (kind(number), key(number)));
        assert_eq!(frame.payload, filled(number, frame.payload.len()), "frame {number} is damaged");
        record.must = true;
        self.highest = self.highest.max(frame.position);
        number as usize
    }

    fn owed(&self) -> impl Iterator<Item = usize> {
        let owed = |(_, record): &(usize, &Record)| record.must && !record.delivered;
        self.records.iter().enumerate().filter(owed).map(|(number, _)| number)
    }

    /// All that is owed is there, once, in order.
    pub fn check_all(&mut self, journal: &Stepped) {
        let owed = self.owed().collect::<Vec<_>>();
        let mut seen = BTreeMap::new();
        let mut after = self.checkpoint;
        let mut last = None;
        loop {
            let batch = journal.read(after, 5000).unwrap();
            if batch.frames.is_empty() {
                break;
            }
            for frame in &batch.frames {
                assert!(frame.position > after, "out of order");
                after = frame.position;
                let number = self.check(frame);
                assert!(last < Some(number), "out of order: {number} after {last:?}");
                last = Some(number);
                assert!(
                    !self.records[number].delivered && seen.insert(number, ()).is_none(),
                    "{number} twice"
                );
            }
            assert_eq!(batch.next, after);
        }
        for number in owed {
            assert!(seen.contains_key(&number), "frame {number} was acknowledged and is lost");
        }
    }

    /// On a good disk again: nothing that was taken in this session has been dropped.
    pub fn check_nothing_dropped(&mut self, journal: &mut Stepped) {
        self.calm();
        self.sim.keep_power();
        assert!(journal.settle(), "the journal does not come to rest");
        self.poll();
        assert!(self.pending.is_empty(), "someone waits for ever");
        assert_eq!(journal.stats().queued_bytes, 0, "{:?}", journal.stats());
        self.records[self.session..].iter_mut().for_each(|record| record.must = true);
        self.check_all(journal);
    }

    pub fn deliver_all(&mut self, journal: &Stepped) {
        while self.owed().next().is_some() {
            self.drain(journal);
        }
    }
}

impl World {
    /// Of what a database has nothing is left in any file, whatever went wrong before, and whatever comes now.
    pub fn check_overwritten(&mut self, mut journal: Stepped) {
        self.deliver_all(&journal);
        let position = journal.overwrite_drained();
        assert!(journal.settle(), "the journal does not come to rest");
        assert!(journal.overwritten() >= position, "{:?} of {position:?}", journal.overwritten());
        assert_eq!(self.sim.bytes_left(&self.config.dir, 4096), 0, "a drained text is left");
        drop(journal);
        self.sim.crash();
        let mut journal = self.open();
        assert_eq!(self.sim.bytes_left(&self.config.dir, 4096), 0, "a drained text came back");
        self.sim.keep_power();
        if !self.sim.is_cut() {
            assert!(journal.settle() && journal.overwritten() >= position);
        }
    }
}

fn kind(number: u64) -> u8 {
    number as u8
}

fn key(number: u64) -> [u8; 16] {
    [(number % 8) as u8; 16]
}

fn filled(number: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(number);
    let mut bytes = number.to_le_bytes().to_vec();
    while bytes.len() < len {
        bytes.extend_from_slice(&rng.next_u64().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
