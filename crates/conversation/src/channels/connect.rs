//! Registering a channel with its platform, and sending messages through a channel.

use std::time::Duration;

use loam_kernel::{
    ChannelId, ChatSessionId, Error, Kind, MessageId, Result, Scope, WebhookDeliveryId, bounded,
};
use loam_platform::changes::Audited;
use loam_platform::records::redact::excerpt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::directory::CachedChannel;
use super::entity::Entity;
use super::kinds::ChannelConfig;
use super::outgoing::Outgoing;
use super::receive::inactive;
use super::telegram::Bot;
use crate::channels::Channels;
use crate::chat_sessions::entity as sessions;
use crate::messages::append::{NewMessage, append};
use crate::messages::entity::Role;

/// Timeout of a registration call. Telegram normally responds within a second.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of a text, in characters.
const MAX_TEXT: usize = 100_000;
/// Maximum number of characters shown of Telegram's error description.
const MAX_SHOWN: usize = 300;

/// The endpoint at which a channel receives messages.
#[derive(Serialize, ToSchema)]
pub struct ChannelConnection {
    /// The URL, if `identity.public_url` is set.
    url: Option<String>,
    /// The path of the URL.
    path: String,
    /// Whether Loam registered the URL with the platform. True for Telegram; for other kinds you register it
    /// yourself.
    #[serde(rename = "told")]
    registered: bool,
}

/// A text to send to a chat.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelSend {
    /// ID of the chat on the platform. The chat must have sent a message before.
    pub chat_id: String,
    /// Text to send.
    pub text: String,
    /// ID, on the platform, of the message to reply to.
    pub reply_to: Option<String>,
}

/// Result of sending a text.
#[derive(Serialize, ToSchema)]
pub struct ChannelSent {
    session_id: ChatSessionId,
    /// The message in the session.
    message_id: MessageId,
    /// The deliveries that send it. Empty if the channel has no URL to send to.
    delivery_ids: Vec<WebhookDeliveryId>,
}

impl Channels {
    /// Registers the channel's URL with the platform.
    pub(super) async fn connect_channel(&self, scope: &Scope, id: ChannelId) -> Result<ChannelConnection> {
        let channel = self.find_channel(scope, id).await?;
        let path = format!("/api/v1/channels/{id}/events");
        let url = self.0.identity.public_url().map(|base| format!("{base}{path}"));
        let ChannelConfig::Telegram { .. } = &channel.config else {
            return Ok(ChannelConnection { url, path, registered: false });
        };
        let Some(address) = &url else {
            let message = "the public URL of this server is unknown; set `identity.public_url`";
            return Err(Error::new(Kind::Conflict, "public_url_missing", message));
        };
        let fields = json!({
            "url": address, "secret_token": channel.secret(), "allowed_updates": ["message", "edited_message"],
        });
        self.call_telegram(&channel, "setWebhook", &fields).await?;
        self.audit_connection(scope, id, "connect").await?;
        Ok(ChannelConnection { url, path, registered: true })
    }

    /// Unregisters the channel's URL from the platform.
    pub(super) async fn disconnect_channel(&self, scope: &Scope, id: ChannelId) -> Result<()> {
        let channel = self.find_channel(scope, id).await?;
        if let ChannelConfig::Telegram { .. } = &channel.config {
            self.call_telegram(&channel, "deleteWebhook", &json!({})).await?;
        }
        self.audit_connection(scope, id, "disconnect").await
    }

    async fn call_telegram(&self, channel: &CachedChannel, method: &str, fields: &Value) -> Result<()> {
        let ChannelConfig::Telegram { api_url, token } = &channel.config else { return Ok(()) };
        let failed = |reason: String| {
            Error::new(
                Kind::BadGateway,
                "telegram_refused",
                format!("Telegram refused the request: {reason}"),
            )
        };
        let bot = Bot { client: &self.0.client, api_url, token };
        let response = tokio::time::timeout(TIMEOUT, bot.call(method, fields, TIMEOUT)).await;
        match response.map_err(|_| failed(format!("no response within {TIMEOUT:?}")))?? {
            Ok(reply) if reply.ok => Ok(()),
            Ok(reply) => {
                let why = excerpt(&reply.description, MAX_SHOWN, &[channel.secret()]);
                Err(failed(format!("{} {why}", reply.status)))
            }
            Err(why) => Err(failed(why)),
        }
    }

    async fn audit_connection(&self, scope: &Scope, id: ChannelId, action: &'static str) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let notice = self.0.changes.record(&tx, action, "channels", id, json!({})).await?;
        self.0.changes.commit(tx, notice).await
    }

    /// Sends a caller's text to a chat and stores it in the session as an assistant message.
    pub(super) async fn send_by_channel(
        &self,
        scope: &Scope,
        id: ChannelId,
        new: ChannelSend,
    ) -> Result<ChannelSent> {
        bounded("chat_id", &new.chat_id, 255)?;
        bounded("text", &new.text, MAX_TEXT)?;
        new.reply_to.as_deref().map_or(Ok(()), |id| bounded("reply_to", id, 255))?;
        let channel = self.find_channel(scope, id).await?;
        if !channel.is_active {
            return Err(inactive());
        }
        let _lock = self.lock_chat_session(scope, id, &new.chat_id).await?;
        let tx = self.0.db.write(scope).await?;
        let unknown =
            || Error::invalid("chat_id", "this chat has not sent a message through this channel yet");
        let chat = self.find_chat(&tx, id, &new.chat_id).await?.ok_or_else(unknown)?;
        let session = tx.get_locked::<sessions::Entity>(chat.session_id).await?.ok_or_else(unknown)?;
        if !session.is_active {
            let message = "the chat's session is archived; the chat's next message creates a new one";
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
        let delivery_ids = self.enqueue_deliveries(&tx, &channel, &chat, out).await?;
        tx.commit().await?;
        self.0.messages.notify_changed(&session);
        self.0.deliveries.wake();
        Ok(ChannelSent { session_id: session.id, message_id: message.id, delivery_ids })
    }

    /// Finds a channel of the caller's tenant.
    async fn find_channel(&self, scope: &Scope, id: ChannelId) -> Result<std::sync::Arc<CachedChannel>> {
        let channel = self.0.directory.get(id).await?;
        channel.filter(|channel| channel.tenant == scope.tenant()).ok_or_else(Entity::missing)
    }
}
