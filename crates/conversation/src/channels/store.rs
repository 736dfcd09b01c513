//! Stores a received message: resolves its session and user and detects duplicates.

use std::time::Duration;

use loam_db::Tx;
use loam_jobs::{NewJob, enqueue};
use loam_kernel::{ChannelEventId, ChannelId, Error, Kind, MessageId, Result, Scope, TenantId, UserId};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::{Map, json};

use super::directory::CachedChannel;
use super::events::EventState;
use super::incoming::{ReceivedMessage, Sender};
use super::receive::{ChannelReceipt, ignored};
use super::reply::{MAX_ATTEMPTS, REPLY, Reply};
use super::{chats, events, senders};
use crate::channels::Channels;
use crate::messages::append::append;
use crate::turns::{Input, ReservedMessage};

/// Retry-After for a chat with too many unanswered messages.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl Channels {
    /// Stores a message and enqueues the job that answers it, in one transaction.
    pub(super) async fn store_incoming(
        &self,
        channel: &CachedChannel,
        scope: &Scope,
        event_id: String,
        received: ReceivedMessage,
    ) -> Result<ChannelReceipt> {
        let user = self.user_of(channel, scope, &received.sender).await?;
        if user.is_some_and(|(_, is_active)| !is_active) {
            return Ok(ignored("the sender's user is not active"));
        }
        let user = user.map(|(id, _)| id);
        let _lock = self.lock_chat_session(scope, channel.id, &received.chat.id).await?;
        let tx = self.0.db.write(scope).await?;
        let Some(event) = self.claim_event(&tx, channel.id, &event_id).await? else {
            return self.duplicate_receipt(&tx, channel.id, &event_id).await;
        };
        let (chat, session, notice) = self.find_or_create_chat(&tx, channel, &received, user).await?;
        self.check_waiting(&tx, &chat).await?;
        self.upsert_sender(&tx, channel.id, &received.sender, user).await?;
        let origin = json!({
            "channel_id": channel.id, "event_id": event_id, "message_id": received.message.id,
            "sender": { "id": received.sender.id, "name": received.sender.name }, "metadata": received.metadata,
        });
        let now = self.0.clock.now();
        let reserved = ReservedMessage { id: MessageId(self.0.clock.id_at(now)), at: now };
        let metadata = Map::from_iter([("channel".to_owned(), origin)]);
        let input = Input::from_channel(received.message.text, user, metadata, reserved);
        let message = input.question()?;
        let auto_reply = channel.settings.auto_reply;
        let set = tx
            .update_many::<events::Entity>()
            .set(events::Column::ChatId, chat.id)
            .set(events::Column::SessionId, session.id)
            .set(events::Column::MessageId, reserved.id)
            .filter(events::Column::Id.eq(event));
        let set = match auto_reply {
            // It becomes a message when its turn starts, after the answers to earlier messages.
            true => set
                .set(events::Column::Question, input.write()?)
                .set(events::Column::State, EventState::Pending),
            false => set.set(events::Column::State, EventState::Stored),
        };
        set.exec().await?;
        let session = match auto_reply {
            true => session,
            false => append(&tx, &self.0.clock, session, message.into_iter().collect()).await?.0,
        };
        if auto_reply {
            let job = NewJob::new(REPLY, Reply { event_id: event }).attempts(MAX_ATTEMPTS);
            enqueue(&tx, &self.0.clock, job).await?;
        }
        tx.commit().await?;
        if let Some(notice) = notice {
            self.0.notices.publish(&notice);
        }
        self.0.messages.notify_changed(&session);
        self.0.deliveries.wake();
        let (session_id, message_id) = (Some(session.id), Some(reserved.id));
        Ok(ChannelReceipt { duplicate: false, session_id, message_id, ignored: None })
    }

    /// The user of a sender, and whether it is active: found by the external id `<channel>:<sender>`, or created.
    async fn user_of(
        &self,
        channel: &CachedChannel,
        scope: &Scope,
        sender: &Sender,
    ) -> Result<Option<(UserId, bool)>> {
        let external_id = format!("{}:{}", channel.name, sender.id);
        if let Some(user) = self.0.identity.user_by_external_id(scope, &external_id).await? {
            return Ok(Some((user.id, user.is_active)));
        }
        if !channel.settings.provision_users {
            return Ok(None);
        }
        let metadata = json!({ "channel_id": channel.id });
        match self.0.identity.provision_user(scope, &external_id, metadata).await {
            // a sender beyond the quota is answered like one of a channel that provisions no users
            Err(e) if e.code() == "quota_exceeded" => {
                tracing::warn!(channel.id = %channel.id, error = %e, "a sender becomes no user");
                Ok(None)
            }
            user => user.map(|user| Some((user.id, user.is_active))),
        }
    }

    /// Claims an event id; `None` if it was received before.
    async fn claim_event<R>(
        &self,
        tx: &Tx<R>,
        channel: ChannelId,
        event_id: &str,
    ) -> Result<Option<ChannelEventId>> {
        let (id, now) = (self.0.clock.id(), self.0.clock.now());
        let row = events::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            channel_id: Set(channel),
            event_id: Set(event_id.to_owned()),
            chat_id: Set(None),
            session_id: Set(None),
            message_id: Set(None),
            turn_id: Set(None),
            question: Set(None),
            state: Set(EventState::Ignored),
            error_message: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        Ok(tx.insert_if_new(row).await?.then_some(id))
    }

    /// The result of an event that was received before.
    async fn duplicate_receipt<R>(
        &self,
        tx: &Tx<R>,
        channel: ChannelId,
        event_id: &str,
    ) -> Result<ChannelReceipt> {
        let find = tx.find::<events::Entity>().filter(events::Column::ChannelId.eq(channel));
        let event = find.filter(events::Column::EventId.eq(event_id)).one().await?;
        Ok(ChannelReceipt {
            duplicate: true,
            session_id: event.as_ref().and_then(|event| event.session_id),
            message_id: event.and_then(|event| event.message_id),
            ignored: None,
        })
    }

    /// Limits how many messages of a chat wait for their answer.
    async fn check_waiting<R>(&self, tx: &Tx<R>, chat: &chats::Model) -> Result<()> {
        let limit = self.0.limits.of(tx.scope().tenant()).waiting_per_chat;
        let open = events::Column::State.is_in([EventState::Pending, EventState::Waiting]);
        let find = tx.find::<events::Entity>().filter(events::Column::ChatId.eq(chat.id)).filter(open);
        if find.count().await? < limit {
            return Ok(());
        }
        let message = format!("{limit} messages of this chat are waiting for their answer; retry later");
        Err(Error::new(Kind::TooMany, "chat_busy", message).with_retry_after(RETRY_AFTER))
    }

    async fn upsert_sender<R>(
        &self,
        tx: &Tx<R>,
        channel: ChannelId,
        sender: &Sender,
        user: Option<UserId>,
    ) -> Result<()> {
        use senders::Column;
        let find = tx.find::<senders::Entity>().filter(Column::ChannelId.eq(channel));
        let existing = find.filter(Column::ExternalId.eq(&sender.id)).one().await?;
        let now = self.0.clock.now();
        match existing {
            Some(row) if row.name == sender.name && row.user_id == user => Ok(()),
            Some(row) => {
                let mut row = row.into_active_model();
                row.name = Set(sender.name.clone());
                row.user_id = Set(user);
                row.updated_at = Set(now);
                tx.update(row).await.map(drop)
            }
            None => {
                let row = senders::ActiveModel {
                    tenant_id: Set(TenantId::NIL),
                    id: Set(self.0.clock.id()),
                    channel_id: Set(channel),
                    external_id: Set(sender.id.clone()),
                    name: Set(sender.name.clone()),
                    user_id: Set(user),
                    created_at: Set(now),
                    updated_at: Set(now),
                };
                tx.insert_if_new(row).await.map(drop)
            }
        }
    }
}
