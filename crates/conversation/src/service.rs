//! The handle of this crate.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use loam_db::Db;
use loam_gateway::Gateway;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_jobs::{Handlers, Schedule};
use loam_journal::Journal;
use loam_kernel::{Clock, NodeId, Result};
use loam_platform::changes::Changes;
use loam_platform::drain::Sink;
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::system_config::Live;
use loam_platform::webhook_deliveries::WebhookDeliveries;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::channels::{ChannelLimits, Channels};
use crate::chat_sessions::cache::Caches;
use crate::chat_sessions::delete::{DeleteMessages, DeleteUsersSessions};
use crate::context::settings::ContextSettings;
use crate::exchanges::{KeepExchange, UnkeptSink};
use crate::messages::forget::ForgetMessage;
use crate::messages::lane::Lanes;
use crate::tools::EndLostToolCalls;
use crate::turns::live::Turns;
use crate::turns::retention::DeleteOldEvents;
use crate::turns::settings::TurnSettings;
use crate::turns::sink::TurnSink;
use crate::{channels, chat_sessions, history, messages, session_configs, tools, turns};

/// Sessions, messages, turns. Cheap to clone.
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
    pub(crate) lanes: Lanes,
    /// Imports under way: each may hold some memory.
    pub(crate) imports: history::Imports,
    /// This node, by its journal.
    pub(crate) node: NodeId,
    pub(crate) turns: Turns,
    pub(crate) settings: Live<TurnSettings>,
    pub(crate) context: Live<ContextSettings>,
    pub(crate) deliveries: WebhookDeliveries,
    pub(crate) channels: Channels,
    /// Until when calls don't ask the database, in milliseconds since 1970.
    pub(crate) away_until: AtomicI64,
}

/// What conversations stand on.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Notices of change.
    pub notices: Notices,
    /// Who there is.
    pub identity: Identity,
    /// The way to models.
    pub gateway: Gateway,
    /// Seals channels' secrets.
    pub keyring: Keyring,
    /// The way out, to tools and channels.
    pub client: Client,
    /// Where answers are kept as they come; none for the command line, which runs no turns.
    pub journal: Option<Journal>,
    /// How turns are run.
    pub turns: Live<TurnSettings>,
    /// How much of a conversation a model is told.
    pub context: Live<ContextSettings>,
    /// What takes answers to other platforms.
    pub deliveries: WebhookDeliveries,
    /// What channels take.
    pub channels: Live<ChannelLimits>,
}

impl Conversation {
    /// A handle on a migrated database.
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
        Self(Arc::new(Inner {
            changes: Changes::new(clock.clone(), notices.clone()),
            caches: Caches::new(&notices),
            lanes: Lanes::new(),
            imports: history::Imports::new(),
            node,
            turns: Turns::default(),
            away_until: AtomicI64::new(0),
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
        }))
    }

    /// The routes of this crate.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(history::routes::router(self.clone()))
            .merge(chat_sessions::routes::router(self.clone()))
            .merge(messages::routes::router(self.clone()))
            .merge(session_configs::routes::router(self.clone()))
            .merge(tools::routes::router(self.clone()))
            .merge(turns::routes::router(self.clone()))
            .merge(channels::routes::router(self.clone()))
    }

    /// The jobs of this crate.
    pub fn jobs(&self, handlers: Handlers) -> Result<Handlers> {
        let handlers = channels::jobs(self, handlers)?;
        Ok(handlers
            .with(DeleteMessages(self.clone()))
            .with(ForgetMessage(self.clone()))
            .with(DeleteUsersSessions(self.clone()))
            .with(KeepExchange(self.clone()))
            .with(EndLostToolCalls(self.0.gateway.clone()))
            .with(DeleteOldEvents(self.clone()))
            .every(Schedule::new(DeleteOldEvents::KIND, DeleteOldEvents::EVERY)?)
            .every(Schedule::new(EndLostToolCalls::KIND, Duration::from_hours(1))?))
    }

    /// What drains events of turns, and what calls said that could not be stored at once, into the database.
    pub fn sinks(&self) -> [Arc<dyn Sink>; 2] {
        let clock = &self.0.clock;
        [Arc::new(TurnSink::new(clock.clone())), Arc::new(UnkeptSink(clock.clone()))]
    }

    /// Takes no more turns, and waits so long for those under way; then what they have is stored.
    pub async fn finish_turns(&self, patience: Duration) {
        self.0.turns.finish(patience).await;
    }
}
