//! Telling a platform where a channel is; and what people send by one.

use std::time::Duration;

use loam_kernel::{
    ChannelId, ChatSessionId, Error, Kind, MessageId, Result, Scope, WebhookDeliveryId, bounded,
};
use loam_platform::records::redact::excerpt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::directory::Known;
use super::kinds::Opened;
use super::outgoing::Outgoing;
use super::receive::inactive;
use super::service::missing;
use super::telegram::Bot;
use crate::Conversation;
use crate::chat_sessions::entity as sessions;
use crate::messages::append::{NewMessage, append};
use crate::messages::entity::Role;

/// Telegram answers within a second or not at all.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest text, in characters.
const MAX_TEXT: usize = 100_000;
/// Characters that are shown of why Telegram refused.
const MAX_SHOWN: usize = 300;

/// Where a channel takes messages.
#[derive(Serialize, ToSchema)]
pub struct ChannelConnection {
    /// The address, if this Loam knows where it is reached from outside (`identity.public_url`).
    url: Option<String>,
    /// The path of it.
    path: String,
    /// Whether the platform itself has been told: Telegram is; others are by you.
    told: bool,
}

/// A text to be sent to a chat.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelSend {
    /// The platform's id of the chat, which must have written before.
    pub chat_id: String,
    /// What is sent.
    pub text: String,
    /// The platform's id of the message that it replies to.
    pub reply_to: Option<String>,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub struct ChannelSent {
    session_id: ChatSessionId,
    /// The message it is in the session.
    message_id: MessageId,
    /// What takes it there; none if the channel is told nowhere to send to.
    delivery_ids: Vec<WebhookDeliveryId>,
}

impl Conversation {
    /// Tells the platform where to send messages to.
    pub(super) async fn connect_channel(&self, scope: &Scope, id: ChannelId) -> Result<ChannelConnection> {
        let channel = self.own_channel(scope, id).await?;
        let path = format!("/api/v1/channels/{id}/events");
        let url = self.0.identity.public_url().map(|base| format!("{base}{path}"));
        let Opened::Telegram { .. } = &channel.config else {
            return Ok(ChannelConnection { url, path, told: false });
        };
        let Some(address) = &url else {
            let message =
                "this Loam doesn't know where it is reached from outside: set `identity.public_url`";
            return Err(Error::new(Kind::Conflict, "public_url_missing", message));
        };
        let fields = json!({
            "url": address, "secret_token": channel.secret(), "allowed_updates": ["message", "edited_message"],
        });
        self.tell_telegram(&channel, "setWebhook", &fields).await?;
        self.note_connection(scope, id, "connect").await?;
        Ok(ChannelConnection { url, path, told: true })
    }

    /// Tells the platform to send no more.
    pub(super) async fn disconnect_channel(&self, scope: &Scope, id: ChannelId) -> Result<()> {
        let channel = self.own_channel(scope, id).await?;
        if let Opened::Telegram { .. } = &channel.config {
            self.tell_telegram(&channel, "deleteWebhook", &json!({})).await?;
        }
        self.note_connection(scope, id, "disconnect").await
    }

    async fn tell_telegram(&self, channel: &Known, method: &str, fields: &Value) -> Result<()> {
        let Opened::Telegram { api_url, token } = &channel.config else { return Ok(()) };
        let failed = |why: String| {
            Error::new(Kind::BadGateway, "telegram_refused", format!("Telegram did not do it: {why}"))
        };
        let bot = Bot { client: &self.0.client, api_url, token };
        let asked = tokio::time::timeout(LIMIT, bot.call(method, fields, LIMIT)).await;
        match asked.map_err(|_| failed(format!("no answer within {LIMIT:?}")))?? {
            Ok(said) if said.ok => Ok(()),
            Ok(said) => {
                let why = excerpt(&said.description, MAX_SHOWN, &[channel.secret()]);
                Err(failed(format!("{} {why}", said.status)))
            }
            Err(why) => Err(failed(why)),
        }
    }

    async fn note_connection(&self, scope: &Scope, id: ChannelId, action: &'static str) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let notice = self.0.changes.record(&tx, action, "channels", id, json!({})).await?;
        self.0.changes.commit(tx, notice).await
    }

    /// A text of somebody's own to a chat: kept in its session as the assistant's, and sent.
    pub(super) async fn send_by_channel(
        &self,
        scope: &Scope,
        id: ChannelId,
        new: ChannelSend,
    ) -> Result<ChannelSent> {
        bounded("chat_id", &new.chat_id, 255)?;
        bounded("text", &new.text, MAX_TEXT)?;
        new.reply_to.as_deref().map_or(Ok(()), |id| bounded("reply_to", id, 255))?;
        let channel = self.own_channel(scope, id).await?;
        if !channel.is_active {
            return Err(inactive());
        }
        let _lane = self.lane_of_chat(scope, id, &new.chat_id).await?;
        let tx = self.0.db.write(scope).await?;
        let unknown = || Error::invalid("chat_id", "no such chat has written by this channel yet");
        let chat = self.find_chat(&tx, id, &new.chat_id).await?.ok_or_else(unknown)?;
        let session = tx.get_locked::<sessions::Entity>(chat.session_id).await?.ok_or_else(unknown)?;
        if !session.is_active {
            let message = "the chat's session is archived; a new one begins with the chat's next message";
            return Err(Error::new(Kind::Conflict, "session_archived", message));
        }
        let mut message = NewMessage::text(Role::Assistant, new.text.clone());
        message.sender = scope.user;
        message.metadata = json!({ "channel": { "channel_id": id, "sent_by": scope.actor().label() } });
        let (session, written) = append(&tx, &self.0.clock, session, vec![message]).await?;
        let message = written.first().ok_or_else(|| Error::internal("nothing was written"))?;
        let out = Outgoing {
            text: new.text,
            message_id: Some(message.id),
            replies_to: new.reply_to,
            event_id: None,
        };
        let delivery_ids = self.send_out(&tx, &channel, &chat, out).await?;
        tx.commit().await?;
        self.said(&session);
        self.0.deliveries.wake();
        Ok(ChannelSent { session_id: session.id, message_id: message.id, delivery_ids })
    }

    /// A channel of the caller's own tenant.
    async fn own_channel(&self, scope: &Scope, id: ChannelId) -> Result<std::sync::Arc<Known>> {
        let channel = self.0.channels.directory.get(id).await?;
        channel.filter(|channel| channel.tenant == scope.tenant()).ok_or_else(missing)
    }
}
