//! Channels: messages in from other platforms by signed webhook, answers out as deliveries.
//!
//! A channel maps what a platform calls a chat to a session, and who writes there to a user. What comes in is in the
//! database, with the job that answers it, before the platform is told that it was taken; what goes out is a delivery,
//! made in the transaction that keeps the answer.

mod answer;
pub mod chats;
mod connect;
mod directory;
pub mod entity;
pub mod events;
mod incoming;
mod kinds;
mod outgoing;
mod rate;
mod receive;
mod reply;
pub mod routes;
pub mod senders;
pub mod service;
mod sessions;
mod settings;
mod store;
mod sweep;
mod telegram;

use std::time::Duration;

use loam_db::Db;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_jobs::{Handlers, Schedule};
use loam_kernel::{Clock, Result};
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::system_config::Live;
use loam_platform::webhook_deliveries::WebhookDeliveries;

use crate::Conversation;
use directory::Directory;
use outgoing::{ChannelCourier, TELEGRAM, WEBHOOK};
use rate::Rates;

pub use settings::{CHANNELS, ChannelLimits, ChannelSettings};

/// What channels keep in memory.
pub(crate) struct Channels {
    directory: Directory,
    rates: Rates,
    limits: Live<ChannelLimits>,
}

impl Channels {
    pub(crate) fn new(
        (db, identity, notices, keyring): (Db, Identity, &Notices, Keyring),
        (client, clock): (Client, Clock),
        deliveries: &WebhookDeliveries,
        limits: Live<ChannelLimits>,
    ) -> Self {
        let directory = Directory::new(db, identity, keyring, notices);
        let courier = ChannelCourier { directory: directory.clone(), client, clock };
        deliveries.employ(WEBHOOK, courier.clone());
        deliveries.employ(TELEGRAM, courier);
        Self { directory, rates: Rates::default(), limits }
    }
}

/// What answers messages, and forgets their ids.
pub(crate) fn jobs(conversation: &Conversation, handlers: Handlers) -> Result<Handlers> {
    let forget = Schedule::new(sweep::ForgetEvents::KIND, Duration::from_hours(1))?;
    Ok(handlers
        .with(reply::Replies(conversation.clone()))
        .with(sweep::ForgetEvents(conversation.clone()))
        .every(forget))
}
