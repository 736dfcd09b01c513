//! Turns: a question and its answer.

mod begin;
pub mod entity;
mod event;
mod follow;
mod frames;
mod input;
pub(crate) mod live;
mod log;
mod model_call;
pub mod part;
mod progress;
mod purge;
mod queue;
mod recover;
pub(crate) mod retention;
pub mod routes;
mod run;
mod service;
pub(crate) mod settings;
mod settings_schema;
pub(crate) mod sink;
mod step;
pub(crate) mod stored;
mod stored_event;
mod stream_event;
mod view;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use loam_db::Db;
use loam_gateway::Proxy;
use loam_journal::Journal;
use loam_kernel::{Clock, NodeId, Result, TenantId};
use loam_platform::system_config::LiveConfig;

use crate::chat_sessions::Sessions;
use crate::context::Prompts;
use crate::messages::Messages;
use crate::messages::session_locks::SessionLocks;
use crate::tools::Tools;
use live::LiveTurns;
use settings::TurnSettings;

pub(crate) use input::{Input, ReservedMessage, SETTINGS};
pub(crate) use purge::{purge_stream, rendered_stream};
pub(crate) use service::NewTurn;

/// Turns of sessions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) proxy: Proxy,
    /// Where events are logged as they arrive; none on the command line, which runs no turns.
    pub(crate) journal: Option<Journal>,
    /// This node's id, taken from its journal.
    pub(crate) node: NodeId,
    /// The turns that this process runs.
    pub(crate) live: LiveTurns,
    pub(crate) settings: LiveConfig<TurnSettings>,
    pub(crate) session_locks: Arc<SessionLocks>,
    pub(crate) sessions: Sessions,
    pub(crate) messages: Messages,
    pub(crate) tools: Tools,
    pub(crate) prompts: Prompts,
}

impl Turns {
    /// Rejects another turn of a tenant while the server stops, or if the tenant has too many.
    pub(crate) fn admit(&self, tenant: TenantId) -> Result<()> {
        self.0.live.admit(tenant)
    }

    /// The tenant's default model.
    pub(crate) fn default_model(&self, tenant: TenantId) -> Option<String> {
        self.0.settings.with(tenant, |settings| settings.default_model.clone())
    }

    /// Accepts no more turns and waits up to `timeout` for those in progress; then stores what the remaining ones
    /// have produced.
    pub(crate) async fn finish(&self, timeout: Duration) {
        self.0.live.finish(timeout).await;
    }
}
