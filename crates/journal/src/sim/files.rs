//! The simulated disk as a `Storage`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{NameChange, Node, SECTOR, SimStorage};
use crate::storage::{FolderLock, Storage, StorageFile};

impl Storage for SimStorage {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let mut disk = self.disk();
        let node = disk.files.len();
        disk.files.push(Node::default());
        disk.change(NameChange::Set(path.to_owned(), node))?;
        Ok(Arc::new(SimFile { storage: self.clone(), node }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let node = *self.disk().names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile { storage: self.clone(), node }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.disk();
        let names = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if !disk.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if !disk.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change(NameChange::Remove(path.to_owned()))
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let disk = &mut *self.disk();
        let on = disk.power()?;
        if !on || disk.rng.chance(disk.faults.names) {
            return Err(io::Error::other("syncing the folder fails"));
        }
        for change in std::mem::take(&mut disk.unsynced_names) {
            change.apply(&mut disk.durable_names);
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FolderLock>> {
        if !self.disk().locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock(self.clone(), path.to_owned())))
    }
}

struct SimLock(SimStorage, PathBuf);

impl FolderLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.disk().locked.remove(&self.1);
    }
}

struct SimFile {
    storage: SimStorage,
    node: usize,
}

impl StorageFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let disk = &mut *self.storage.disk();
        let on = disk.power()?;
        let growth = (offset + bytes.len() as u64).saturating_sub(disk.files[self.node].cache.len() as u64);
        if growth > 0 && disk.used() + growth > disk.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let fails = !on || disk.rng.chance(disk.faults.write);
        // A failed write ends at the boundary of a sector: the kernel copies page by page.
        let sectors = (offset as usize + bytes.len()).div_ceil(SECTOR) - offset as usize / SECTOR;
        let last = (offset as usize / SECTOR + disk.rng.below(sectors as u64 + 1) as usize) * SECTOR;
        let written = if fails { last.saturating_sub(offset as usize).min(bytes.len()) } else { bytes.len() };
        disk.files[self.node].write(offset as usize, &bytes[..written]);
        if fails { Err(io::Error::other("the write fails")) } else { Ok(()) }
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let disk = self.storage.disk();
        let cache = &disk.files[self.node].cache;
        let from = (offset as usize).min(cache.len());
        let len = into.len().min(cache.len() - from);
        into[..len].copy_from_slice(&cache[from..from + len]);
        Ok(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let disk = &mut *self.storage.disk();
        let on = disk.power()?;
        if !on {
            return Err(io::Error::other("power fails"));
        }
        let fails = disk.rng.chance(disk.faults.sync);
        let node = &mut disk.files[self.node];
        for sector in std::mem::take(&mut node.dirty) {
            if !fails || disk.rng.chance(50) {
                node.persist(sector);
            } else if disk.rng.chance(50) && (sector + 1) * SECTOR <= node.disk.len() {
                // The page was dropped from the cache as well, so that even a reader sees the old content.
                let range = sector * SECTOR..(sector + 1) * SECTOR;
                node.cache[range.clone()].copy_from_slice(&node.disk[range]);
            }
        }
        if fails { Err(io::Error::other("the sync fails")) } else { Ok(()) }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.storage.disk().files[self.node].cache.len() as u64)
    }
}
