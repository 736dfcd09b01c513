//! Messages, numbered without gaps within their session; each refers to its parent.

pub(crate) mod append;
pub(crate) mod branch;
pub(crate) mod content;
pub mod entity;
mod list;
pub(crate) mod purge;
pub mod routes;
pub(crate) mod schemas;
mod service;
pub(crate) mod session_locks;
pub(crate) mod span;

use std::sync::Arc;

use loam_db::Db;
use loam_kernel::Clock;
use loam_platform::notices::Notices;

use crate::chat_sessions::Sessions;
use crate::chat_sessions::cache::Caches;
use session_locks::SessionLocks;

pub use list::MessageFilter;
pub(crate) use service::of_session;
pub use service::{MessageCreate, MessageUpdate};

/// The messages of sessions. Cheap to clone.
#[derive(Clone)]
pub struct Messages(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) session_locks: Arc<SessionLocks>,
    pub(crate) caches: Arc<Caches>,
    pub(crate) sessions: Sessions,
}
