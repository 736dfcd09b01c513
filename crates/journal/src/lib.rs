//! A local append log with group commit: it acknowledges a record as soon as it is durable on disk, long before it is in a
//! database. A drainer reads it and moves the frames into a database in batches, storing its checkpoint (a [`Position`])
//! in the same database transaction.
//!
//! Belongs here: frames, segments, syncing, recovery, budgets, and waking waiters. Does not belong here: the meaning of
//! payloads, the database, the drainer, retention, replication, encryption.
//!
//! # How to use it
//! [`Journal::open`], then [`Journal::start_after`] with the database's checkpoint, then [`Journal::append`] and
//! [`Journal::durable`]. The drainer loops over [`Journal::wait_for_frames`], [`Journal::read`], a database
//! transaction and [`Journal::released`].
//!
//! # On disk
//! All numbers are little-endian. The folder of a journal holds
//! - `lock`: locked by the one process that has the journal open;
//! - `journal.id`: the journal's UUID as text, created at the first open;
//! - `seg-<number, 16 hex digits>`: segments, all of one length, filled with zeros before their first use. The
//!   first 4096 bytes are the header's; frames follow without gaps and never straddle segments. A segment
//!   whose header is blank is a spare;
//! - `new.tmp`: a segment still being filled; `bad-…`: a segment set aside because its header was damaged.
//!
//! A *position* is a byte offset into an endless log: a frame that starts at `p` ends at `p + its length`,
//! and is in its segment at `4096 + p - base`. A position is used for only one frame, forever: normally each frame starts
//! where the previous one ended, and after each start the log continues 64 GiB further.
//!
//! | segment header, at 0 | |         | frame, 48 bytes and payload | |
//! |---|---|---|---|---|
//! | 0  | `LOAMJRN1`                        | | 0  | CRC-32 of bytes 4 to 48 |
//! | 8  | journal id, 16 bytes              | | 4  | length of the payload, u32 |
//! | 24 | segment number, u64               | | 8  | position: where the frame ends, u64 |
//! | 32 | base: where its frames start, u64 | | 16 | up to where the log was durable when this was appended, u64 |
//! | 40 | where the log before it ended, u64| | 24 | key, 16 bytes |
//! | 48 | CRC-32 of bytes 0 to 48           | | 40 | CRC-32 of the payload |
//! |    |                                   | | 44 | kind, then three zeros |
//!
//! # Correctness
//! - A frame is valid only if its position matches its offset, so frames of an earlier use of a recycled segment are never
//!   read.
//! - No frame is written to a segment before its header is durable; the header fixes where the log before it
//!   ended, so what lies behind a torn tail, or was abandoned after a failed write, can't come back.
//! - After a failed write or sync nothing more is written to that segment: the frames in question, still in
//!   memory, go to a fresh one under the same positions.
//! - At a start, the end of the log is written and synced again before it is called durable: after a failed sync
//!   the kernel may show what the disk does not have.
//! - A drained segment is overwritten with zeros before it is used again or removed: its header first, durably, so that
//!   a crash meanwhile leaves a file outside of the log. A start overwrites what spares it finds once more, as the kernel
//!   may show zeros where a sync failed. [`Journal::overwrite_drained`] does this for the present segment too.
//! - In the last segment, a damaged place is a torn tail unless a later frame proves, by the third number in its
//!   header, that the place was durable once; then it is damage: reported and skipped.

mod config;
mod dispatch;
mod error;
mod frame;
mod journal;
mod owners;
mod preparer;
mod reader;
mod recovery;
mod scan;
mod segment;
mod shared;
mod state;
mod stats;
mod storage;
mod tail;
mod threads;
mod waiting;
mod writer;

#[cfg(any(test, feature = "sim"))]
pub mod sim;

pub use config::Config;
pub use error::{AppendError, DurableError, JournalError};
pub use frame::{Frame, Position};
pub use journal::Journal;
pub use owners::Owner;
pub use reader::Batch;
pub use recovery::RecoveryReport;
pub use stats::{SYNC_BUCKETS_MICROS, Stats};
pub use storage::{DiskStorage, FolderLock, Storage, StorageFile};
pub use waiting::Durable;
