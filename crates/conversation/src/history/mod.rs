//! Import and export of histories as JSON Lines, in one format.
//!
//! A line is a session, a message of an earlier session line, or the end line. docs/FORMATS.md lists the
//! fields.

mod export;
mod import;
mod limits;
mod line;
mod lines;
pub mod routes;
mod writer;

use std::sync::Arc;

use loam_db::Db;
use loam_identity::Identity;
use loam_kernel::Clock;
use loam_platform::changes::Changes;

use crate::chat_sessions::Sessions;

pub use export::Export;
pub use import::{ImportMode, ImportOptions, Imported};
pub(crate) use limits::ImportLimits;

/// Import and export. Cheap to clone.
#[derive(Clone)]
pub struct History(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    /// Imports in progress: each may hold some memory.
    pub(crate) imports: ImportLimits,
    pub(crate) sessions: Sessions,
}
