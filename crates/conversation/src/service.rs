//! The handle of this crate: it creates those of its parts.

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

use crate::channels::{self, ChannelLimits, Channels};
use crate::chat_sessions::cache::Caches;
use crate::chat_sessions::{self, Sessions};
use crate::context::settings::ContextSettings;
use crate::context::{self, Prompts};
use crate::exchanges::{self, Exchanges};
use crate::history::{self, History, ImportLimits};
use crate::messages::session_locks::SessionLocks;
use crate::messages::{self, Messages};
use crate::session_configs::{self, SessionConfigs};
use crate::tools::{self, Tools};
use crate::turns::live::LiveTurns;
use crate::turns::settings::TurnSettings;
use crate::turns::{self, Turns};

/// Sessions, messages and turns: a handle for each part, which holds what that part uses. Cheap to clone.
#[derive(Clone)]
pub struct Conversation {
    /// Sessions.
    pub sessions: Sessions,
    /// Messages.
    pub messages: Messages,
    /// Settings of sessions.
    pub session_configs: SessionConfigs,
    /// Import and export.
    pub history: History,
    pub(crate) tools: Tools,
    pub(crate) turns: Turns,
    pub(crate) exchanges: Exchanges,
    pub(crate) channels: Channels,
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
        let changes = Changes::new(clock.clone(), notices.clone());
        let caches = Arc::new(Caches::new(&notices));
        let session_locks = Arc::new(SessionLocks::new());
        let sessions = Sessions(Arc::new(chat_sessions::Inner {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            changes: changes.clone(),
            identity: identity.clone(),
            gateway: gateway.clone(),
            caches: caches.clone(),
        }));
        let messages = Messages(Arc::new(messages::Inner {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            session_locks: session_locks.clone(),
            caches,
            sessions: sessions.clone(),
        }));
        let session_configs = SessionConfigs(Arc::new(session_configs::Inner {
            db: db.clone(),
            clock: clock.clone(),
            changes: changes.clone(),
        }));
        let history = History(Arc::new(history::Inner {
            db: db.clone(),
            clock: clock.clone(),
            changes: changes.clone(),
            identity: identity.clone(),
            imports: ImportLimits::new(),
            sessions: sessions.clone(),
        }));
        let tools = Tools(Arc::new(tools::Inner {
            db: db.clone(),
            clock: clock.clone(),
            changes: changes.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            gateway: gateway.clone(),
        }));
        let prompts = Prompts(Arc::new(context::Inner {
            db: db.clone(),
            clock: clock.clone(),
            proxy: gateway.proxy().clone(),
            settings: context,
            sessions: sessions.clone(),
        }));
        let turns = Turns(Arc::new(turns::Inner {
            db: db.clone(),
            clock: clock.clone(),
            proxy: gateway.proxy().clone(),
            journal: journal.clone(),
            node,
            live: LiveTurns::default(),
            settings: turns,
            session_locks: session_locks.clone(),
            sessions: sessions.clone(),
            messages: messages.clone(),
            tools: tools.clone(),
            prompts,
        }));
        let exchanges = Exchanges(Arc::new(exchanges::Inner {
            db: db.clone(),
            clock: clock.clone(),
            gateway: gateway.clone(),
            journal,
            session_locks: session_locks.clone(),
            messages: messages.clone(),
            tools: tools.clone(),
            database_retry_at_ms: AtomicI64::new(0),
        }));
        gateway.proxy().add_hook(Arc::new(exchanges.clone()));
        let channels = Channels::new(channels::Parts {
            db,
            clock,
            notices,
            changes,
            identity,
            keyring,
            client,
            deliveries,
            session_locks,
            messages: messages.clone(),
            turns: turns.clone(),
            limits: channels,
        });
        Self { sessions, messages, session_configs, history, tools, turns, exchanges, channels }
    }

    /// Accepts no more turns and waits up to `timeout` for those in progress; then stores what the remaining
    /// ones have produced.
    pub async fn finish_turns(&self, timeout: Duration) {
        self.turns.finish(timeout).await;
    }
}
