//! The file with the master keys, which is only ever replaced whole: whoever reads it finds all keys or none.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use loam_kernel::{Clock, Error, Kind, Result};
use zeroize::Zeroizing;

use super::Key;

/// The keys in a file, one a line; the first seals.
#[derive(Clone, Debug)]
pub struct KeyFile(PathBuf);

/// The keys of a text.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty())
}

impl KeyFile {
    /// The file at this path, whether it is there or not.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// What is in it; none without it.
    pub(super) fn read(&self) -> Result<Option<Zeroizing<String>>> {
        match fs::read_to_string(&self.0) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed(&e)),
        }
    }

    /// Makes it, with a key.
    pub(super) fn make(&self, clock: &Clock) -> Result<Zeroizing<String>> {
        let text = new_key(clock);
        let mut file = private(&self.0).map_err(|e| self.failed(&e))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| self.failed(&e))?;
        Ok(text)
    }

    /// Adds a new key, which seals from now on (`first`) or merely opens until it is made the first; gives its name.
    ///
    /// # Errors
    /// When the file can't be read or replaced.
    pub fn add(&self, clock: &Clock, first: bool) -> Result<String> {
        let key = new_key(clock);
        let id = Key::parse(&key)?.id;
        self.change(|keys| {
            keys.insert(if first { 0 } else { keys.len() }, key);
            Ok(())
        })?;
        Ok(id)
    }

    /// Makes the key of this name the one that seals.
    ///
    /// # Errors
    /// When there is none.
    pub fn promote(&self, id: &str) -> Result<()> {
        self.change(|keys| {
            let index_of = index_of(keys, id)?;
            let key = keys.remove(index_of);
            keys.insert(0, key);
            Ok(())
        })
    }

    /// Takes a key out; what is sealed under it can't be opened any more. Gives what puts it back.
    ///
    /// # Errors
    /// When there is none of this name, or it is the one that seals.
    pub fn remove(&self, id: &str) -> Result<RemovedKey> {
        let mut removed = None;
        self.change(|keys| match index_of(keys, id)? {
            0 => Err(Error::invalid("key", format!("`{id}` is the key that seals; rotate first"))),
            index_of => {
                removed = Some(keys.remove(index_of));
                Ok(())
            }
        })?;
        removed.map(RemovedKey).ok_or_else(|| Error::internal("no key was taken out"))
    }

    /// Puts a key that was taken out back, as the last.
    ///
    /// # Errors
    /// When the file can't be replaced.
    pub fn restore(&self, key: RemovedKey) -> Result<()> {
        self.change(|keys| {
            keys.push(key.0);
            Ok(())
        })
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Zeroizing<String>>) -> Result<()>) -> Result<()> {
        let text = self.read()?.ok_or_else(|| self.failed(&io::ErrorKind::NotFound.into()))?;
        let mut keys: Vec<_> = lines(&text).map(|line| Zeroizing::new(line.to_owned())).collect();
        change(&mut keys)?;
        let mut text = Zeroizing::new(String::new());
        for key in &keys {
            text.push_str(key);
            text.push('\n');
        }
        self.replace(&text).map_err(|e| self.failed(&e))
    }

    /// Replaces it in one step, and keeps whose it is: the server that reads it may be another user than who changes it.
    fn replace(&self, text: &str) -> io::Result<()> {
        let new = self.0.with_extension("key.new");
        _ = fs::remove_file(&new);
        let mut file = private(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let (old, made) = (fs::metadata(&self.0)?, file.metadata()?);
            if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
                std::os::unix::fs::chown(&new, Some(old.uid()), Some(old.gid()))?;
            }
        }
        fs::rename(&new, &self.0)?;
        match self.0.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        let message = format!("cannot read or make the key file {}: {error}", self.0.display());
        Error::new(Kind::Unavailable, "master_key_unavailable", message)
    }
}

/// A key that was taken out of its file.
pub struct RemovedKey(Zeroizing<String>);

fn new_key(clock: &Clock) -> Zeroizing<String> {
    Zeroizing::new(STANDARD_NO_PAD.encode(Zeroizing::new(clock.random::<32>())))
}

fn index_of(keys: &[Zeroizing<String>], id: &str) -> Result<usize> {
    let found = keys.iter().position(|key| Key::parse(key).is_ok_and(|key| key.id == id));
    found.ok_or_else(|| Error::invalid("key", format!("there is no key `{id}` in the key file")))
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::super::Keyring;
    use super::*;

    #[test]
    fn keys_are_added_promoted_and_taken_out_by_name() -> Result<()> {
        let clock = Clock::system();
        let folder = tempfile::tempdir().map_err(Error::internal)?;
        let path = folder.path().join("master.key");
        let file = KeyFile::new(&path);
        let ids = || Keyring::open(&path, &clock, true).map(|keys| keys.key_ids());
        let first = ids()?.remove(0);
        let second = file.add(&clock, false)?;
        assert_eq!(ids()?, [first.clone(), second.clone()]);
        file.promote(&second)?;
        let third = file.add(&clock, true)?;
        assert_eq!(ids()?, [third.clone(), second.clone(), first.clone()]);
        assert!(file.remove(&third).is_err(), "it seals");
        assert!(file.remove("unknown").is_err() && file.promote("unknown").is_err());
        let removed = file.remove(&second)?;
        assert_eq!(ids()?, [third.clone(), first.clone()]);
        file.restore(removed)?;
        assert_eq!(ids()?, [third, first, second]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).map_err(Error::internal)?.permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        Ok(())
    }
}
