//! File modes: only Loam's own user can access its data, keys and master keys on this machine.

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::Mode;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
const OTHERS: u32 = 0o077;
/// The sticky bit of folders that everybody may write to, such as `/tmp`.
const STICKY: u32 = 0o1000;

/// Sets the umask, so that no other user can read new files of this process.
pub(crate) fn set_umask() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Creates the data folder, or removes other users' access to an existing one.
///
/// # Errors
/// When others have access and that can't, or must not, be changed.
pub(crate) fn data_folder(folder: &Path) -> Result<()> {
    let cannot = || format!("cannot create the data folder {}", folder.display());
    fs::DirBuilder::new().recursive(true).mode(FOLDER).create(folder).with_context(cannot)?;
    let found = fs::metadata(folder).with_context(cannot)?;
    if found.mode() & OTHERS != 0 {
        if found.mode() & STICKY != 0 || !is_ours(&found) {
            bail!(
                "others may use the data folder {} (mode {:o}), and it isn't Loam's own to close; name a folder within it \
                 with --data, which is made for Loam alone, or do `chmod 700` and `chown` on it",
                folder.display(),
                found.mode() & 0o7777
            );
        }
        set(folder, FOLDER)?;
        tracing::warn!(
            folder = %folder.display(), mode = format!("{:o}", found.mode() & 0o7777),
            "other users had access to the data folder: its mode is 700 now"
        );
    }
    // by name, since the folder may contain other files; the database first, as SQLite gives its other files the same mode
    for name in ["loam.db", "loam.db-wal", "loam.db-shm", "loam.db-journal", "master.key"] {
        close(&folder.join(name))?;
    }
    close_all(&folder.join("journal"))
}

fn is_ours(found: &Metadata) -> bool {
    let user = rustix::process::geteuid();
    user.is_root() || found.uid() == user.as_raw()
}

/// Restricts one of Loam's own folders with its content.
fn close_all(folder: &Path) -> Result<()> {
    close(folder)?;
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        close(&path)?;
    }
    Ok(())
}

/// Removes other users' access to a file or folder, if it exists. A symbolic link is ignored: its target may belong to
/// anybody.
fn close(path: &Path) -> Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let mode = if found.is_dir() { FOLDER } else { FILE };
    if found.is_symlink() || found.mode() & OTHERS == 0 {
        return Ok(());
    }
    set(path, mode)?;
    tracing::warn!(path = %path.display(), mode = format!("{:o}", found.mode() & 0o7777), "other users could read this: its mode is {mode:o} now");
    Ok(())
}

fn set(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("cannot restrict {} with chmod {mode:o}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o7777
    }

    #[test]
    fn a_folder_that_others_could_read_is_closed_with_what_is_in_it() {
        let outer = tempfile::tempdir().expect("a folder");
        let data = outer.path().join("data");
        let files = ["loam.db", "master.key", "journal/0000000001.seg"].map(|name| data.join(name));
        fs::create_dir_all(data.join("journal")).expect("made");
        for file in &files {
            fs::write(file, "x").expect("written");
            fs::set_permissions(file, Permissions::from_mode(0o644)).expect("opened");
        }
        let own = data.join("notes.txt");
        fs::write(&own, "x").expect("written");
        fs::set_permissions(&own, Permissions::from_mode(0o644)).expect("opened");
        fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("opened");
        data_folder(&data).expect("ours");
        assert_eq!((mode(&data), mode(&data.join("journal"))), (0o700, 0o700));
        assert!(files.iter().all(|file| mode(file) == 0o600));
        assert_eq!(mode(&own), 0o644, "it is not Loam's");
    }

    #[test]
    fn a_folder_of_everybody_is_refused() {
        let outer = tempfile::tempdir().expect("a folder");
        fs::set_permissions(outer.path(), Permissions::from_mode(0o1777)).expect("opened");
        let error = data_folder(outer.path()).expect_err("shared");
        assert!(error.to_string().contains("--data"), "{error}");
        let within = outer.path().join("loam");
        data_folder(&within).expect("made");
        assert_eq!(mode(&within), 0o700);
    }
}
