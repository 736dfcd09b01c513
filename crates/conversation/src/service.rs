//! The handle of this crate.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use loam_db::Db;
use loam_gateway::Gateway;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_journal::Journal;
use loam_kernel::{Clock, NodeId};
use loam_platform::changes::Changes;
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::WebhookDeliveries;
use uuid::Uuid;

use crate::channels::{ChannelLimits, Channels};
use crate::chat_sessions::cache::Caches;
use crate::context::settings::ContextSettings;
use crate::history;
use crate::messages::session_locks::SessionLocks;
use crate::turns::live::LiveTurns;
use crate::turns::settings::TurnSettings;

/// Sessions, messages and turns. Cheap to clone.
#[derive(Clone)]
pub struct Conversation(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) journal: Option<Journal>,
    pub(crate) caches: Caches,
    pub(crate) session_locks: SessionLocks,
    /// Imports in progress: each may hold some memory.
    pub(crate) imports: history::ImportLimits,
    /// This node's id, taken from its journal.
    pub(crate) node: NodeId,
    pub(crate) turns: LiveTurns,
    pub(crate) settings: LiveConfig<TurnSettings>,
    pub(crate) context: LiveConfig<ContextSettings>,
    pub(crate) deliveries: WebhookDeliveries,
    pub(crate) channels: Channels,
    /// Until when calls skip the database after it failed to respond, in milliseconds since 1970.
    pub(crate) database_retry_at_ms: AtomicI64,
}

/// Dependencies of [`Conversation`].
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Source of time and ids.
    pub clock: Clock,
    /// Notices of change.
    pub notices: Notices,
    /// Users, projects and tenants.
    pub identity: Identity,
    /// Calls models.
    pub gateway: Gateway,
    /// Seals the secrets of channels and tools.
    pub keyring: Keyring,
    /// HTTP client for tools and channels.
    pub client: Client,
    /// Where turn events are logged as they arrive; `None` on the command line, which runs no turns.
    pub journal: Option<Journal>,
    /// Settings of turns.
    pub turns: LiveConfig<TurnSettings>,
    /// How much of a conversation is sent to a model.
    pub context: LiveConfig<ContextSettings>,
    /// Delivers outgoing messages to other platforms.
    pub deliveries: WebhookDeliveries,
    /// Limits on incoming channel messages.
    pub channels: LiveConfig<ChannelLimits>,
}

impl Conversation {
    /// Creates a handle on a migrated database.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            db,
            clock,
            notices,
            identity,
            gateway,
            keyring,
            client,
            journal,
            turns,
            context,
            deliveries,
            channels,
        } = parts;
        let node = NodeId(Uuid::from_bytes(journal.as_ref().map_or([0; 16], Journal::id)));
        let channels = Channels::new(
            (db.clone(), identity.clone(), &notices, keyring.clone()),
            (client.clone(), clock.clone()),
            &deliveries,
            channels,
        );
        let conversation = Self(Arc::new(Inner {
            changes: Changes::new(clock.clone(), notices.clone()),
            caches: Caches::new(&notices),
            session_locks: SessionLocks::new(),
            imports: history::ImportLimits::new(),
            node,
            turns: LiveTurns::default(),
            database_retry_at_ms: AtomicI64::new(0),
            settings: turns,
            context,
            deliveries,
            channels,
            db,
            clock,
            notices,
            identity,
            gateway,
            keyring,
            client,
            journal,
        }));
        conversation.0.gateway.add_hook(Arc::new(conversation.clone()));
        conversation
    }

    /// Accepts no more turns and waits up to `timeout` for those in progress; then stores what the remaining
    /// ones have produced.
    pub async fn finish_turns(&self, timeout: Duration) {
        self.0.turns.finish(timeout).await;
    }
}
