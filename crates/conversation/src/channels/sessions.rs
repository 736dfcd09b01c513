//! The session of a chat on another platform.

use loam_db::Tx;
use loam_kernel::{ChannelId, Error, FairPermit, Result, Scope, TenantId, UserId};
use loam_platform::notices::Notice;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::json;

use super::chats;
use super::directory::CachedChannel;
use super::incoming::ReceivedMessage;
use crate::channels::Channels;
use crate::chat_sessions::entity as sessions;

impl Channels {
    /// The chat and its session, locked, with a notice if a session was created. Both are created by the
    /// first message; an archived session is replaced by a new one.
    pub(super) async fn find_or_create_chat<R>(
        &self,
        tx: &Tx<R>,
        channel: &CachedChannel,
        received: &ReceivedMessage,
        user: Option<UserId>,
    ) -> Result<(chats::Model, sessions::Model, Option<Notice>)> {
        if let Some(chat) = self.find_chat(tx, channel.id, &received.chat.id).await? {
            return self.active_session_of(tx, channel, received, user, chat).await;
        }
        let session = self.create_session_for_chat(tx, channel, received, user).await?;
        let now = self.0.clock.now();
        let row = chats::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            channel_id: Set(channel.id),
            external_id: Set(received.chat.id.clone()),
            title: Set(received.chat.title.clone()),
            is_group: Set(received.chat.is_group),
            session_id: Set(session.id),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let first = tx.insert_if_new(row).await?;
        let chat = self.find_chat(tx, channel.id, &received.chat.id).await?;
        let chat = chat.ok_or_else(|| Error::internal("a chat that was just inserted is missing"))?;
        if first {
            let notice = self.audit_session(tx, channel, &session).await?;
            return Ok((chat, session, Some(notice)));
        }
        // Another message of this chat was first; its session is used.
        tx.delete::<sessions::Entity>().filter(sessions::Column::Id.eq(session.id)).exec().await?;
        self.active_session_of(tx, channel, received, user, chat).await
    }

    /// The session of an existing chat.
    async fn active_session_of<R>(
        &self,
        tx: &Tx<R>,
        channel: &CachedChannel,
        received: &ReceivedMessage,
        user: Option<UserId>,
        chat: chats::Model,
    ) -> Result<(chats::Model, sessions::Model, Option<Notice>)> {
        let session = tx.get_locked::<sessions::Entity>(chat.session_id).await?;
        if let Some(session) = session.filter(|session| session.is_active) {
            return Ok((chat, session, None));
        }
        let session = self.create_session_for_chat(tx, channel, received, user).await?;
        let mut row = chat.into_active_model();
        row.session_id = Set(session.id);
        row.updated_at = Set(self.0.clock.now());
        let chat = tx.update(row).await?;
        let notice = self.audit_session(tx, channel, &session).await?;
        Ok((chat, session, Some(notice)))
    }

    /// Locks the session of a chat within this process; `None` for an unknown chat, which has no session to
    /// lock yet.
    pub(super) async fn lock_chat_session(
        &self,
        scope: &Scope,
        channel: ChannelId,
        external_id: &str,
    ) -> Result<Option<FairPermit>> {
        let tx = self.0.db.read(scope).await?;
        let chat = self.find_chat(&tx, channel, external_id).await?;
        drop(tx);
        match chat {
            Some(chat) => self.0.session_locks.acquire(scope.tenant(), chat.session_id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn audit_session<R>(
        &self,
        tx: &Tx<R>,
        channel: &CachedChannel,
        session: &sessions::Model,
    ) -> Result<Notice> {
        let changes = json!({ "user_id": session.user_id, "channel_id": channel.id });
        self.0.changes.record(tx, "create", "chat_sessions", session.id, changes).await
    }

    pub(super) async fn find_chat<R>(
        &self,
        tx: &Tx<R>,
        channel: ChannelId,
        external_id: &str,
    ) -> Result<Option<chats::Model>> {
        let find = tx.find::<chats::Entity>().filter(chats::Column::ChannelId.eq(channel));
        find.filter(chats::Column::ExternalId.eq(external_id)).one().await
    }

    /// Creates a session with the channel's settings.
    async fn create_session_for_chat<R>(
        &self,
        tx: &Tx<R>,
        channel: &CachedChannel,
        received: &ReceivedMessage,
        user: Option<UserId>,
    ) -> Result<sessions::Model> {
        let (id, now) = (self.0.clock.id(), self.0.clock.now());
        let title = received.chat.title.as_ref().or(received.sender.name.as_ref());
        let row = sessions::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            // The session of a group chat belongs to no user.
            user_id: Set(user.filter(|_| !received.chat.is_group)),
            project_id: Set(channel.project),
            channel_id: Set(Some(channel.id)),
            external_id: Set(None),
            title: Set(title.cloned().unwrap_or_else(|| channel.name.clone())),
            provider_id: Set(None),
            // The channel's current model applies, unless the session sets its own.
            model: Set(None),
            system_prompt: Set(channel.settings.system_prompt.clone()),
            status: Set(sessions::SessionStatus::Active),
            is_active: Set(true),
            message_count: Set(0),
            head_id: Set(None),
            first_message_at: Set(None),
            last_message_at: Set(None),
            last_activity: Set(now),
            metadata: Set(json!({ "channel": { "chat_id": received.chat.id } })),
            created_at: Set(now),
            updated_at: Set(now),
        };
        tx.insert(row).await
    }

    /// Changes the id of a chat, unless a chat with the new id exists already.
    pub(super) async fn move_chat(
        &self,
        channel: &CachedChannel,
        scope: &Scope,
        from: &str,
        to: String,
    ) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        if self.find_chat(&tx, channel.id, &to).await?.is_none()
            && let Some(chat) = self.find_chat(&tx, channel.id, from).await?
        {
            let mut row = chat.into_active_model();
            row.external_id = Set(to);
            row.updated_at = Set(self.0.clock.now());
            tx.update(row).await?;
        }
        tx.commit().await
    }
}
