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

use loam_db::Db;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_kernel::Clock;
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::WebhookDeliveries;

use directory::Directory;
use outgoing::{ChannelDeliveryHandler, TELEGRAM, WEBHOOK};
use rate::RateLimiter;

pub use settings::{CHANNELS, ChannelLimits, ChannelSettings};

/// In-memory state of channels.
pub(crate) struct Channels {
    directory: Directory,
    rates: RateLimiter,
    limits: LiveConfig<ChannelLimits>,
}

impl Channels {
    pub(crate) fn new(
        (db, identity, notices, keyring): (Db, Identity, &Notices, Keyring),
        (client, clock): (Client, Clock),
        deliveries: &WebhookDeliveries,
        limits: LiveConfig<ChannelLimits>,
    ) -> Self {
        let directory = Directory::new(db, identity, keyring, notices);
        let handler = ChannelDeliveryHandler { directory: directory.clone(), client, clock };
        deliveries.register(WEBHOOK, handler.clone());
        deliveries.register(TELEGRAM, handler);
        Self { directory, rates: RateLimiter::default(), limits }
    }
}
