//! A message that comes in: whom it is believed to be from, and what becomes of it.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderName};
use loam_http::surface::read_at_most;
use loam_identity::Asks;
use loam_kernel::{ChannelId, ChatSessionId, Error, Kind, MessageId, Origin, Result, Scope};
use loam_platform::webhook_deliveries::signature::{self, SIGNATURE, TIMESTAMP, same_secret};
use serde::Serialize;
use utoipa::ToSchema;

use super::directory::Known;
use super::incoming::{self, Content, Incoming};
use super::kinds::Opened;
use super::telegram;
use crate::Conversation;

/// What became of a message that came in.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ChannelReceipt {
    /// Whether a message with this event id was here before: nothing was done then.
    pub(super) duplicate: bool,
    /// The session it is in.
    pub(super) session_id: Option<ChatSessionId>,
    /// The message it became.
    pub(super) message_id: Option<MessageId>,
    /// Why no message was made of it.
    pub(super) ignored: Option<&'static str>,
}

impl Conversation {
    /// Takes a message in. What it says is in the database when this returns.
    pub(super) async fn receive(
        &self,
        id: ChannelId,
        origin: Arc<Origin>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<ChannelReceipt> {
        // a channel that isn't there is told from one that is by nothing
        let Some(channel) = self.0.channels.directory.get(id).await? else { return Err(unbelieved()) };
        let limits = self.0.channels.limits.of(channel.tenant);
        let body = read_at_most(body, limits.max_event_bytes).await?;
        let now = self.0.clock.now();
        let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        match &channel.config {
            Opened::Webhook { .. } => {
                let timestamp = header(HeaderName::from_static(TIMESTAMP));
                let signature = header(HeaderName::from_static(SIGNATURE));
                signature::verify(channel.secrets(now), timestamp, signature, &body, now)?;
            }
            Opened::Telegram { .. } => {
                let given = header(telegram::SECRET_TOKEN).unwrap_or_default().as_bytes();
                let known = channel.secrets(now).iter().filter(|secret| same_secret(secret, given)).count();
                if known == 0 {
                    return Err(unbelieved());
                }
            }
        }
        self.admit(&channel)?;
        self.0.channels.rates.count(id, limits.events_per_minute, now)?;
        let incoming = match &channel.config {
            Opened::Webhook { .. } => incoming::read(&body)?,
            Opened::Telegram { .. } => telegram::read(&body)?,
        };
        self.take_in(&channel, &channel.scope().with_origin(origin), incoming).await
    }

    /// Refuses what a channel, or its tenant, doesn't do in its present state.
    pub(super) fn admit(&self, channel: &Known) -> Result<()> {
        Asks::Write.check(channel.tenant_status)?;
        if channel.is_active { Ok(()) } else { Err(inactive()) }
    }

    async fn take_in(&self, channel: &Known, scope: &Scope, incoming: Incoming) -> Result<ChannelReceipt> {
        match incoming.content {
            Content::Said(said) => self.store_incoming(channel, scope, incoming.event_id, *said).await,
            Content::Moved { from, to } => {
                self.move_chat(channel, scope, &from, to).await?;
                Ok(ignored("the chat has another id from now on"))
            }
            Content::Nothing(why) => Ok(ignored(why)),
        }
    }
}

pub(super) fn ignored(why: &'static str) -> ChannelReceipt {
    ChannelReceipt { ignored: Some(why), ..ChannelReceipt::default() }
}

pub(super) fn inactive() -> Error {
    Error::new(
        Kind::Conflict,
        "channel_inactive",
        "this channel is not active: it neither takes messages nor sends any",
    )
}

/// As for a signature that is wrong.
fn unbelieved() -> Error {
    let message = "the signature is not this channel's over this time and body";
    Error::new(Kind::Unauthenticated, "wrong_signature", message)
}
