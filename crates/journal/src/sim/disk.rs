use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rng::Rng;

pub(super) const SECTOR: usize = 512;

/// What goes wrong, in percent of the operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Writes that fail, having written a part.
    pub write: u64,
    /// Syncs that fail: what was not synced is then dropped, and the next sync succeeds, as on Linux.
    pub sync: u64,
    /// Creating, renaming, removing and syncing the folder.
    pub names: u64,
}

/// A disk in memory, with a volatile cache above it. Clones are the same disk.
#[derive(Clone)]
pub struct SimStorage(Arc<Mutex<Disk>>);

pub(super) struct Disk {
    pub(super) rng: Rng,
    pub(super) files: Vec<Node>,
    /// Names as the process sees them, and as they are on the disk.
    pub(super) names: BTreeMap<PathBuf, usize>,
    pub(super) durable_names: BTreeMap<PathBuf, usize>,
    pub(super) unsynced_names: Vec<NameChange>,
    pub(super) capacity: u64,
    pub(super) faults: Faults,
    /// The operation at which the power fails.
    cut_at: Option<u64>,
    operations: u64,
    pub(super) locked: BTreeSet<PathBuf>,
}

#[derive(Default)]
pub(super) struct Node {
    pub(super) cache: Vec<u8>,
    pub(super) disk: Vec<u8>,
    pub(super) dirty: BTreeSet<usize>,
}

pub(super) enum NameChange {
    Set(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl SimStorage {
    /// An empty disk without limits or faults.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            rng: Rng::new(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            capacity: u64::MAX,
            faults: Faults::default(),
            cut_at: None,
            operations: 0,
            locked: BTreeSet::new(),
        })))
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.disk().faults = faults;
    }

    /// Whether anything is set to go wrong.
    pub fn is_faulty(&self) -> bool {
        let disk = self.disk();
        disk.capacity < u64::MAX || disk.faults.write + disk.faults.sync + disk.faults.names > 0
    }

    /// The bytes that all files together may have.
    pub fn set_capacity(&self, bytes: u64) {
        self.disk().capacity = bytes;
    }

    /// The power fails at the `after`th operation that changes something from now on: all fail from there.
    pub fn cut_power(&self, after: u64) {
        let mut disk = self.disk();
        disk.cut_at = Some(disk.operations + after);
    }

    /// The power does not fail after all, unless it has already.
    pub fn keep_power(&self) {
        let mut disk = self.disk();
        disk.cut_at = disk.cut_at.filter(|at| disk.operations >= *at);
    }

    /// Whether the power has failed.
    pub fn is_cut(&self) -> bool {
        let disk = self.disk();
        disk.cut_at.is_some_and(|at| disk.operations >= at)
    }

    /// Operations so far that changed something.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// The machine loses its power and starts again: of what was not synced, any sector and any change of a name may
    /// or may not be on the disk.
    pub fn crash(&self) {
        let disk = &mut *self.disk();
        // Everything, nothing, or something in between: the extremes are where mistakes like to hide.
        let percent = [0, 10, 50, 90, 100][disk.rng.below(5) as usize];
        for node in &mut disk.files {
            for sector in std::mem::take(&mut node.dirty) {
                if disk.rng.chance(percent) {
                    node.persist(sector);
                }
            }
            node.cache = node.disk.clone();
        }
        for change in std::mem::take(&mut disk.unsynced_names) {
            if disk.rng.chance(percent) {
                change.apply(&mut disk.durable_names);
            }
        }
        disk.names = disk.durable_names.clone();
        disk.cut_at = None;
        disk.locked.clear();
    }

    /// Damages a byte, on the disk too.
    pub fn flip(&self, path: &Path, offset: u64) {
        let disk = &mut *self.disk();
        let node = disk.names[path];
        disk.files[node].cache[offset as usize] ^= 0x55;
        disk.files[node].disk[offset as usize] ^= 0x55;
    }

    /// How many bytes behind the first `from` of a folder's files are not zero, in the cache or on the disk.
    pub fn bytes_left(&self, dir: &Path, from: usize) -> usize {
        let disk = self.disk();
        let left = |bytes: &[u8]| match bytes.get(from..) {
            // comparing whole slices is what makes this cheap in a test that does it thousands of times
            Some(bytes) if bytes != vec![0; bytes.len()] => bytes.iter().filter(|byte| **byte != 0).count(),
            _ => 0,
        };
        let files = disk.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        files.map(|(_, node)| left(&disk.files[*node].cache).max(left(&disk.files[*node].disk))).sum()
    }

    /// The disk's content as it is now, on a disk of its own.
    pub fn copy(&self) -> Self {
        let disk = self.disk();
        let copy = Self::new(1);
        {
            let mut new = copy.disk();
            new.names = disk.names.clone();
            new.durable_names = disk.names.clone();
            let node =
                |node: &Node| Node { cache: node.cache.clone(), disk: node.cache.clone(), ..Node::default() };
            new.files = disk.files.iter().map(node).collect();
        }
        copy
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    /// Counts an operation that changes something; an error if the power is or goes off. The operation during
    /// which it goes off may have been done.
    pub(super) fn power(&mut self) -> io::Result<bool> {
        self.operations += 1;
        match self.cut_at {
            Some(at) if self.operations > at => Err(io::Error::other("no power")),
            Some(at) if self.operations == at => Ok(false),
            _ => Ok(true),
        }
    }

    pub(super) fn change(&mut self, change: NameChange) -> io::Result<()> {
        let on = self.power()?;
        if self.rng.chance(self.faults.names) {
            return Err(io::Error::other("names fail"));
        }
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
        if on { Ok(()) } else { Err(io::Error::other("power fails")) }
    }

    pub(super) fn used(&self) -> u64 {
        self.names.values().map(|node| self.files[*node].cache.len() as u64).sum()
    }
}

impl Node {
    pub(super) fn persist(&mut self, sector: usize) {
        let from = (sector * SECTOR).min(self.cache.len());
        let to = (from + SECTOR).min(self.cache.len());
        if self.disk.len() < to {
            self.disk.resize(to, 0);
        }
        self.disk[from..to].copy_from_slice(&self.cache[from..to]);
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if self.cache.len() < end {
            self.cache.resize(end, 0);
        }
        self.cache[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
    }
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Set(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}
