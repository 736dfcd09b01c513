//! Channels: incoming messages of other platforms through signed webhooks, replies as deliveries.
//!
//! A channel maps a chat of the platform to a session, and its senders to users. A received message and the
//! job that answers it are committed before the platform gets a response; a reply is a delivery, created in
//! the transaction that stores the answer.

mod answer;
pub mod chats;
mod connect;
mod directory;
pub mod entity;
pub mod events;
mod incoming;
pub(crate) mod jobs;
mod kinds;
mod outgoing;
mod rate;
mod receive;
mod reply;
mod retention;
pub mod routes;
pub mod senders;
pub mod service;
mod sessions;
mod settings;
mod store;
mod telegram;

use std::sync::Arc;

use loam_db::Db;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_kernel::Clock;
use loam_platform::changes::Changes;
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::WebhookDeliveries;

use crate::messages::Messages;
use crate::messages::session_locks::SessionLocks;
use crate::turns::Turns;
use directory::Directory;
use outgoing::{ChannelDeliveryHandler, TELEGRAM, WEBHOOK};
use rate::RateLimiter;

pub use settings::{CHANNELS, ChannelLimits, ChannelSettings};

/// Channels and their chats. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Channels(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) deliveries: WebhookDeliveries,
    pub(crate) session_locks: Arc<SessionLocks>,
    pub(crate) messages: Messages,
    pub(crate) turns: Turns,
    directory: Directory,
    rates: RateLimiter,
    limits: LiveConfig<ChannelLimits>,
}

/// The dependencies of [`Channels`].
pub(crate) struct Parts {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) deliveries: WebhookDeliveries,
    pub(crate) session_locks: Arc<SessionLocks>,
    pub(crate) messages: Messages,
    pub(crate) turns: Turns,
    pub(crate) limits: LiveConfig<ChannelLimits>,
}

impl Channels {
    /// Registers the handlers of deliveries to chats.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            db,
            clock,
            notices,
            changes,
            identity,
            keyring,
            client,
            deliveries,
            session_locks,
            messages,
            turns,
            limits,
        } = parts;
        let directory = Directory::new(db.clone(), identity.clone(), keyring.clone(), &notices);
        let handler = ChannelDeliveryHandler {
            directory: directory.clone(),
            client: client.clone(),
            clock: clock.clone(),
        };
        deliveries.register(WEBHOOK, handler.clone());
        deliveries.register(TELEGRAM, handler);
        Self(Arc::new(Inner {
            db,
            clock,
            notices,
            changes,
            identity,
            keyring,
            client,
            deliveries,
            session_locks,
            messages,
            turns,
            directory,
            rates: RateLimiter::default(),
            limits,
        }))
    }
}
