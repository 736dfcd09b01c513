//! Records the messages of model calls that name a session. The gateway reports the calls.

mod deferred;
mod matching;
mod recorder;
#[cfg(test)]
pub(crate) mod tests;
mod window;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use loam_db::Db;
use loam_gateway::Gateway;
use loam_journal::Journal;
use loam_kernel::Clock;

use crate::messages::Messages;
use crate::messages::session_locks::SessionLocks;
use crate::tools::Tools;

pub(crate) use deferred::{DEFERRED_EXCHANGE_FRAME, DeferredExchangeSink, RecordExchange};

/// Records exchanges in their sessions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Exchanges(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) gateway: Gateway,
    /// Where recording is deferred to; none on the command line.
    pub(crate) journal: Option<Journal>,
    pub(crate) session_locks: Arc<SessionLocks>,
    pub(crate) messages: Messages,
    pub(crate) tools: Tools,
    /// Until when calls skip the database after it failed to respond, in milliseconds since 1970.
    pub(crate) database_retry_at_ms: AtomicI64,
}
