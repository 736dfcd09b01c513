use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Errors of a journal as a whole.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The configuration contradicts itself.
    #[error("journal configuration: {0}")]
    Config(String),
    /// Another process (or another journal of this one) has the folder open.
    #[error("the journal folder {} is in use by another process: stop it, or choose another folder", .0.display())]
    Locked(PathBuf),
    /// The folder is not a valid journal folder.
    #[error("the journal folder {} can't be used: {what}", .dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// An I/O error.
    #[error("journal: {what} {}: {source}", .path.display())]
    Io {
        /// The operation.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// `attach_runtime` was called outside of a tokio runtime.
    #[error("attach the journal from within a tokio runtime")]
    NoRuntime,
    /// `start_after` came too late: a frame had been appended before it.
    #[error("the checkpoint must be given to the journal before the first append")]
    StartedAlready,
    /// At `close`, what was queued could not be made durable. None of it had been acknowledged.
    #[error("the journal closed with {bytes} bytes that could not be written: {cause}")]
    Unwritten {
        /// The number of lost bytes.
        bytes: usize,
        /// The disk's error.
        cause: String,
    },
}

impl JournalError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}

/// Why a frame was rejected. Nothing of it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The disk budget, the memory budget or the disk itself is used up: try again later.
    #[error("the journal is full: try again when records have been moved to the database")]
    Full,
    /// The payload is larger than `max_frame_bytes`.
    #[error("a frame of {bytes} bytes is too large: the maximum is {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The maximum.
        max: usize,
    },
    /// The disk fails; the journal retries. See `Stats::last_error`.
    #[error("the journal can't write to its disk: see its last error")]
    Failed,
    /// `close` was called.
    #[error("the journal is closed")]
    Closed,
}

/// Why a frame is not (yet) known to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DurableError {
    /// The disk is full. The frame stays queued and is written when there is space.
    #[error("the disk of the journal is full: the frame is not durable yet")]
    Full,
    /// The disk fails. The frame stays queued and is written when it works again.
    #[error("the journal can't write to its disk: the frame is not durable yet")]
    Failed,
    /// The journal closed before the frame was durable.
    #[error("the journal closed before the frame was durable")]
    Closed,
}
