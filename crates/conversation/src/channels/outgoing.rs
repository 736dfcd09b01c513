//! Outgoing messages of channels, as deliveries.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use loam_db::Tx;
use loam_http::client::Client;
use loam_kernel::{Clock, Error, MessageId, Result, Scope, WebhookDeliveryId};
use loam_platform::webhook_deliveries::entity::Model as Delivery;
use loam_platform::webhook_deliveries::{DeliveryHandler, NewDelivery, Outcome, SignedPost};
use serde_json::{Value, json};

use super::chats;
use super::directory::{CachedChannel, Directory};
use super::kinds::ChannelConfig;
use super::telegram::{self, Bot};
use crate::channels::Channels;

pub(crate) const WEBHOOK: &str = "channel.webhook";
pub(crate) const TELEGRAM: &str = "channel.telegram";

/// Upper bound of a request. The timeout of the delivery attempt is shorter.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A text for a chat.
pub(super) struct Outgoing {
    pub(super) text: String,
    /// The message in the session, if it is stored.
    pub(super) message_id: Option<MessageId>,
    /// ID, on the platform, of the message to reply to.
    pub(super) replies_to: Option<String>,
    /// The event that it answers.
    pub(super) event_id: Option<String>,
}

impl Channels {
    /// Creates the deliveries that send a text to a chat, in the caller's transaction. Creates none if the
    /// channel has no URL to send to.
    pub(super) async fn enqueue_deliveries<R>(
        &self,
        tx: &Tx<R>,
        channel: &CachedChannel,
        chat: &chats::Model,
        out: Outgoing,
    ) -> Result<Vec<WebhookDeliveryId>> {
        let (kind, target, payloads) = match &channel.config {
            ChannelConfig::Webhook { url: None } => return Ok(Vec::new()),
            ChannelConfig::Webhook { url: Some(url) } => {
                let payload = json!({
                    "type": "message",
                    "channel": { "id": channel.id, "name": channel.name },
                    "chat": { "id": chat.external_id },
                    "session_id": chat.session_id,
                    "message": {
                        "id": out.message_id, "role": "assistant", "text": out.text,
                        "reply_to": out.replies_to, "event_id": out.event_id,
                    },
                    "created_at": self.0.clock.now(),
                });
                (WEBHOOK, url.clone(), vec![payload])
            }
            ChannelConfig::Telegram { .. } => {
                let payloads = telegram_payloads(chat, &out)?;
                (TELEGRAM, format!("telegram chat {}", chat.external_id), payloads)
            }
        };
        let mut ids = Vec::with_capacity(payloads.len());
        for payload in payloads {
            let lane = Some(chat.id.to_string());
            let new = NewDelivery { channel: Some(channel.id), kind, lane, target: target.clone(), payload };
            ids.push(self.0.deliveries.enqueue(tx, new).await?.id);
        }
        Ok(ids)
    }
}

/// One message per part of the text. In a group, the first one names the message it replies to.
fn telegram_payloads(chat: &chats::Model, out: &Outgoing) -> Result<Vec<Value>> {
    let target = telegram::target(&chat.external_id)
        .ok_or_else(|| Error::internal("a Telegram chat without a Telegram chat id"))?;
    let replies_to =
        out.replies_to.as_deref().and_then(|id| id.parse::<i64>().ok()).filter(|_| chat.is_group);
    let parts = telegram::parts(&out.text).into_iter().enumerate().map(|(i, text)| {
        let mut fields = target.clone();
        fields.insert("text".to_owned(), text.into());
        if let Some(id) = replies_to.filter(|_| i == 0) {
            // That message may have been deleted.
            let reply = json!({ "message_id": id, "allow_sending_without_reply": true });
            fields.insert("reply_parameters".to_owned(), reply);
        }
        Value::Object(fields)
    });
    Ok(parts.collect())
}

/// Sends the deliveries of channels.
#[derive(Clone)]
pub(super) struct ChannelDeliveryHandler {
    pub(super) directory: Directory,
    pub(super) client: Client,
    pub(super) clock: Clock,
}

#[async_trait]
impl DeliveryHandler for ChannelDeliveryHandler {
    async fn deliver(&self, _: &Scope, delivery: &Delivery) -> Result<Outcome> {
        let permanent = |reason: &str| Ok(Outcome::Rejected { status: None, error: reason.to_owned() });
        let channel = match delivery.channel_id {
            Some(id) => self.directory.get(id).await?,
            None => None,
        };
        let Some(channel) = channel else { return permanent("the channel was deleted") };
        if !channel.is_active {
            return permanent("the channel is not active");
        }
        match (&channel.config, delivery.kind.as_str()) {
            (ChannelConfig::Webhook { url: Some(url) }, WEBHOOK) => {
                let body = Bytes::from(serde_json::to_vec(&delivery.payload).map_err(Error::internal)?);
                let secrets = channel.secrets(self.clock.now());
                let post = SignedPost { url, secrets, delivery: delivery.id, body };
                post.send(&self.client, &self.clock, TIMEOUT).await
            }
            (ChannelConfig::Telegram { api_url, token }, TELEGRAM) => {
                let bot = Bot { client: &self.client, api_url, token };
                Ok(match bot.call("sendMessage", &delivery.payload, TIMEOUT).await? {
                    Ok(response) => telegram::delivery_outcome(response),
                    Err(error) => Outcome::Retry { status: None, error, after: None },
                })
            }
            _ => permanent("the channel has no URL to send to"),
        }
    }
}
