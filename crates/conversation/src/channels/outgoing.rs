//! What goes out by a channel, as deliveries.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use loam_db::Tx;
use loam_http::client::Client;
use loam_kernel::{Clock, Error, MessageId, Result, Scope, WebhookDeliveryId};
use loam_platform::webhook_deliveries::entity::Model as Delivery;
use loam_platform::webhook_deliveries::{Courier, NewDelivery, Outcome, SignedPost};
use serde_json::{Value, json};

use super::chats;
use super::directory::{Directory, Known};
use super::kinds::Opened;
use super::telegram::{self, Bot};
use crate::Conversation;

pub(crate) const WEBHOOK: &str = "channel.webhook";
pub(crate) const TELEGRAM: &str = "channel.telegram";

/// The attempt's own limit comes first; this one keeps a connection from staying longer.
const LIMIT: Duration = Duration::from_mins(1);

/// A text for a chat.
pub(super) struct Outgoing {
    pub(super) text: String,
    /// The message that it is here, if it is kept.
    pub(super) message_id: Option<MessageId>,
    /// The platform's id of the message that it replies to.
    pub(super) replies_to: Option<String>,
    /// The event that it answers.
    pub(super) event_id: Option<String>,
}

impl Conversation {
    /// Makes the deliveries that take a text to a chat, in the transaction that makes them necessary. None where nobody
    /// is told where to.
    pub(super) async fn send_out<R>(
        &self,
        tx: &Tx<R>,
        channel: &Known,
        chat: &chats::Model,
        out: Outgoing,
    ) -> Result<Vec<WebhookDeliveryId>> {
        let (kind, target, payloads) = match &channel.config {
            Opened::Webhook { url: None } => return Ok(Vec::new()),
            Opened::Webhook { url: Some(url) } => {
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
            Opened::Telegram { .. } => {
                let payloads = to_telegram(chat, &out)?;
                (TELEGRAM, format!("telegram chat {}", chat.external_id), payloads)
            }
        };
        let mut made = Vec::with_capacity(payloads.len());
        for payload in payloads {
            let lane = Some(chat.id.to_string());
            let new = NewDelivery { channel: Some(channel.id), kind, lane, target: target.clone(), payload };
            made.push(self.0.deliveries.enqueue(tx, new).await?.id);
        }
        Ok(made)
    }
}

/// A message for each part of the text; in a group the first says what it replies to.
fn to_telegram(chat: &chats::Model, out: &Outgoing) -> Result<Vec<Value>> {
    let target = telegram::target(&chat.external_id)
        .ok_or_else(|| Error::internal("a chat of Telegram's without an id of Telegram's"))?;
    let replies_to =
        out.replies_to.as_deref().and_then(|id| id.parse::<i64>().ok()).filter(|_| chat.is_group);
    let parts = telegram::parts(&out.text).into_iter().enumerate().map(|(i, text)| {
        let mut fields = target.clone();
        fields.insert("text".to_owned(), text.into());
        if let Some(id) = replies_to.filter(|_| i == 0) {
            // the message may have been deleted meanwhile
            let reply = json!({ "message_id": id, "allow_sending_without_reply": true });
            fields.insert("reply_parameters".to_owned(), reply);
        }
        Value::Object(fields)
    });
    Ok(parts.collect())
}

/// Takes deliveries of channels.
#[derive(Clone)]
pub(super) struct ChannelCourier {
    pub(super) directory: Directory,
    pub(super) client: Client,
    pub(super) clock: Clock,
}

#[async_trait]
impl Courier for ChannelCourier {
    async fn carry(&self, _: &Scope, delivery: &Delivery) -> Result<Outcome> {
        let never = |why: &str| Ok(Outcome::Never { status: None, error: why.to_owned() });
        let channel = match delivery.channel_id {
            Some(id) => self.directory.get(id).await?,
            None => None,
        };
        let Some(channel) = channel else { return never("the channel is gone") };
        if !channel.is_active {
            return never("the channel is not active");
        }
        match (&channel.config, delivery.kind.as_str()) {
            (Opened::Webhook { url: Some(url) }, WEBHOOK) => {
                let body = Bytes::from(serde_json::to_vec(&delivery.payload).map_err(Error::internal)?);
                let secrets = channel.secrets(self.clock.now());
                let post = SignedPost { url, secrets, delivery: delivery.id, body };
                post.send(&self.client, &self.clock, LIMIT).await
            }
            (Opened::Telegram { api_url, token }, TELEGRAM) => {
                let bot = Bot { client: &self.client, api_url, token };
                Ok(match bot.call("sendMessage", &delivery.payload, LIMIT).await? {
                    Ok(said) => telegram::judge(said),
                    Err(error) => Outcome::Again { status: None, error, after: None },
                })
            }
            _ => never("the channel is told nowhere to send to"),
        }
    }
}
