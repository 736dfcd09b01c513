//! The session that a chat of another platform is held in.

use loam_db::Tx;
use loam_kernel::{ChannelId, Error, FairPermit, Result, Scope, TenantId, UserId};
use loam_platform::notices::Notice;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::json;

use super::chats;
use super::directory::Known;
use super::incoming::Said;
use crate::Conversation;
use crate::chat_sessions::entity as sessions;

impl Conversation {
    /// The chat and its session, locked, with the notice of a session that was made. Both are made with the first message; an
    /// archived session has a new one follow.
    pub(super) async fn chat_of<R>(
        &self,
        tx: &Tx<R>,
        channel: &Known,
        said: &Said,
        user: Option<UserId>,
    ) -> Result<(chats::Model, sessions::Model, Option<Notice>)> {
        if let Some(chat) = self.find_chat(tx, channel.id, &said.chat.id).await? {
            return self.session_of(tx, channel, said, user, chat).await;
        }
        let session = self.open_session(tx, channel, said, user).await?;
        let now = self.0.clock.now();
        let row = chats::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            channel_id: Set(channel.id),
            external_id: Set(said.chat.id.clone()),
            title: Set(said.chat.title.clone()),
            is_group: Set(said.chat.is_group),
            session_id: Set(session.id),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let first = tx.insert_if_new(row).await?;
        let chat = self.find_chat(tx, channel.id, &said.chat.id).await?;
        let chat = chat.ok_or_else(|| Error::internal("a chat that was just made is not there"))?;
        if first {
            let notice = self.note_session(tx, channel, &session).await?;
            return Ok((chat, session, Some(notice)));
        }
        // another message of this chat was first, and its session is the chat's
        tx.delete::<sessions::Entity>().filter(sessions::Column::Id.eq(session.id)).exec().await?;
        self.session_of(tx, channel, said, user, chat).await
    }

    /// The session of a chat that is known.
    async fn session_of<R>(
        &self,
        tx: &Tx<R>,
        channel: &Known,
        said: &Said,
        user: Option<UserId>,
        chat: chats::Model,
    ) -> Result<(chats::Model, sessions::Model, Option<Notice>)> {
        let session = tx.get_locked::<sessions::Entity>(chat.session_id).await?;
        if let Some(session) = session.filter(|session| session.is_active) {
            return Ok((chat, session, None));
        }
        let session = self.open_session(tx, channel, said, user).await?;
        let mut row = chat.into_active_model();
        row.session_id = Set(session.id);
        row.updated_at = Set(self.0.clock.now());
        let chat = tx.update(row).await?;
        let notice = self.note_session(tx, channel, &session).await?;
        Ok((chat, session, Some(notice)))
    }

    /// The lane of a chat's session; none of a chat that has none, which nobody else can write to yet.
    pub(super) async fn lane_of_chat(
        &self,
        scope: &Scope,
        channel: ChannelId,
        external_id: &str,
    ) -> Result<Option<FairPermit>> {
        let tx = self.0.db.read(scope).await?;
        let chat = self.find_chat(&tx, channel, external_id).await?;
        drop(tx);
        match chat {
            Some(chat) => self.0.lanes.enter(scope.tenant(), chat.session_id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn note_session<R>(
        &self,
        tx: &Tx<R>,
        channel: &Known,
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

    /// A session as the channel's settings say.
    async fn open_session<R>(
        &self,
        tx: &Tx<R>,
        channel: &Known,
        said: &Said,
        user: Option<UserId>,
    ) -> Result<sessions::Model> {
        let (id, now) = (self.0.clock.id(), self.0.clock.now());
        let title = said.chat.title.as_ref().or(said.sender.name.as_ref());
        let row = sessions::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            // what several people say belongs to none of them
            user_id: Set(user.filter(|_| !said.chat.is_group)),
            project_id: Set(channel.project),
            channel_id: Set(Some(channel.id)),
            external_id: Set(None),
            title: Set(title.cloned().unwrap_or_else(|| channel.name.clone())),
            provider_id: Set(None),
            // the channel's own holds, as it is at the time, unless somebody names another for this session
            model: Set(None),
            system_prompt: Set(channel.settings.system_prompt.clone()),
            status: Set(sessions::SessionStatus::Active),
            is_active: Set(true),
            message_count: Set(0),
            head_id: Set(None),
            first_message_at: Set(None),
            last_message_at: Set(None),
            last_activity: Set(now),
            metadata: Set(json!({ "channel": { "chat_id": said.chat.id } })),
            created_at: Set(now),
            updated_at: Set(now),
        };
        tx.insert(row).await
    }

    /// Knows a chat by its new id from now on, unless that one has begun already.
    pub(super) async fn move_chat(
        &self,
        channel: &Known,
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
