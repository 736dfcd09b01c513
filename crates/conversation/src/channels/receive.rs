//! Receives a message: authenticates the sender and stores the message.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderName};
use loam_http::surface::read_at_most;
use loam_identity::RequestedAccess;
use loam_kernel::{ChannelId, ChatSessionId, Error, Kind, MessageId, Origin, Result, Scope};
use loam_platform::webhook_deliveries::signature::{self, SIGNATURE, TIMESTAMP, same_secret};
use serde::Serialize;
use utoipa::ToSchema;

use super::directory::CachedChannel;
use super::incoming::{self, Content, IncomingEvent};
use super::kinds::ChannelConfig;
use super::telegram;
use crate::channels::Channels;

/// Result of receiving an event.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ChannelReceipt {
    /// Whether an event with this id was received before. Nothing was done then.
    pub(super) duplicate: bool,
    /// The session of the message.
    pub(super) session_id: Option<ChatSessionId>,
    /// The stored message.
    pub(super) message_id: Option<MessageId>,
    /// Why no message was stored.
    pub(super) ignored: Option<&'static str>,
}

impl Channels {
    /// Receives an event. Its content is committed when this returns.
    pub(super) async fn receive(
        &self,
        id: ChannelId,
        origin: Arc<Origin>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<ChannelReceipt> {
        // An unknown channel is indistinguishable from a wrong signature.
        let Some(channel) = self.0.directory.get(id).await? else { return Err(wrong_signature()) };
        let limits = self.0.limits.of(channel.tenant);
        let body = read_at_most(body, limits.max_event_bytes).await?;
        let now = self.0.clock.now();
        let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        match &channel.config {
            ChannelConfig::Webhook { .. } => {
                let timestamp = header(HeaderName::from_static(TIMESTAMP));
                let signature = header(HeaderName::from_static(SIGNATURE));
                signature::verify(channel.secrets(now), timestamp, signature, &body, now)?;
            }
            ChannelConfig::Telegram { .. } => {
                let given = header(telegram::SECRET_TOKEN).unwrap_or_default().as_bytes();
                let matching =
                    channel.secrets(now).iter().filter(|secret| same_secret(secret, given)).count();
                if matching == 0 {
                    return Err(wrong_signature());
                }
            }
        }
        self.check_active(&channel)?;
        self.0.rates.count(id, limits.events_per_minute, now)?;
        let incoming = match &channel.config {
            ChannelConfig::Webhook { .. } => incoming::read(&body)?,
            ChannelConfig::Telegram { .. } => telegram::read(&body)?,
        };
        self.process_event(&channel, &channel.scope().with_origin(origin), incoming).await
    }

    /// Rejects events for an inactive channel or a suspended tenant.
    pub(super) fn check_active(&self, channel: &CachedChannel) -> Result<()> {
        RequestedAccess::Write.check(channel.tenant_status)?;
        if channel.is_active { Ok(()) } else { Err(inactive()) }
    }

    async fn process_event(
        &self,
        channel: &CachedChannel,
        scope: &Scope,
        incoming: IncomingEvent,
    ) -> Result<ChannelReceipt> {
        match incoming.content {
            Content::Message(received) => {
                self.store_incoming(channel, scope, incoming.event_id, *received).await
            }
            Content::ChatMigrated { from, to } => {
                self.move_chat(channel, scope, &from, to).await?;
                Ok(ignored("the chat has a new id"))
            }
            Content::Ignored(reason) => Ok(ignored(reason)),
        }
    }
}

pub(super) fn ignored(reason: &'static str) -> ChannelReceipt {
    ChannelReceipt { ignored: Some(reason), ..ChannelReceipt::default() }
}

pub(super) fn inactive() -> Error {
    Error::new(
        Kind::Conflict,
        "channel_inactive",
        "this channel is not active; it receives and sends no messages",
    )
}

/// Also used for unknown channels.
fn wrong_signature() -> Error {
    Error::new(Kind::Unauthenticated, "wrong_signature", signature::WRONG_SIGNATURE)
}
