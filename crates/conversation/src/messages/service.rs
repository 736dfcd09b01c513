//! Adding, changing and deleting messages.

use loam_db::Tx;
use loam_http::surface::{IfMatch, etag, next_version, present};
use loam_jobs::{NewJob, enqueue};
use loam_kernel::{ChatSessionId, Error, Kind, MessageId, Result, Scope, UserId};
use loam_platform::notices::{self, Notice};
use sea_orm::{IntoActiveModel, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::append::{NewMessage, Parent, append};
use super::content::{Content, said};
use super::entity::{Entity, Model, Role};
use super::forget::{Deleted, ForgetMessage, LATE};
use crate::chat_sessions::access::{self, ALL};
use crate::chat_sessions::create::References;
use crate::chat_sessions::entity as sessions;
use crate::chat_sessions::update::get_active;
use crate::context::summaries;
use crate::{Conversation, checks};

/// A message to be added at the end of a session.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageCreate {
    /// In which session.
    pub session_id: ChatSessionId,
    /// Who speaks.
    pub role: Role,
    /// A text of at most 1 MiB, or a list of OpenAI's content parts (`text`; of role `user` also `image_url`, `input_audio`,
    /// `file`) of at most 8 MiB. May be left out with `tool_calls`.
    #[serde(default)]
    #[schema(value_type = Object, example = json!("Hello"))]
    pub content: Option<Value>,
    /// The message that it follows: the session's head unless given; null begins anew.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<MessageId>)]
    pub parent_id: Option<Option<MessageId>>,
    /// OpenAI's `tool_calls`, of role `assistant`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_calls: Option<Value>,
    /// The use of a tool that it answers, of role `tool`.
    pub tool_call_id: Option<String>,
    /// The user who wrote it: the caller's, of role `user`, unless given.
    pub sender_id: Option<UserId>,
    /// Your own; never interpreted. At most 64 kB.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a message: what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageUpdate {
    /// What it says now: a text, or a list of content parts.
    #[schema(value_type = Option<Object>)]
    pub content: Option<Value>,
    /// Your own; never interpreted. At most 64 kB.
    pub metadata: Option<Map<String, Value>>,
}

impl Conversation {
    /// Adds a message at the end of a session.
    pub async fn create_message(&self, scope: &Scope, new: MessageCreate) -> Result<Model> {
        checks::metadata(&new.metadata)?;
        let content = Content::check(new.role, new.content, new.tool_calls, new.tool_call_id)?;
        let sender = sender(scope, new.role, new.sender_id)?;
        let _lane = self.0.lanes.enter(scope.tenant(), new.session_id).await?;
        let tx = self.0.db.write(scope).await?;
        let session = get_active(&tx, new.session_id).await?;
        let unknown = References { user: sender.filter(|_| sender != scope.user), ..References::default() };
        self.check_references(&tx, unknown)
            .await
            .map_err(|e| if e.param() == Some("user_id") { e.with_param("sender_id") } else { e })?;
        let parent = match new.parent_id {
            None => Parent::Head,
            Some(None) => Parent::None,
            Some(Some(id)) => Parent::Message(of_session(&tx, &session, "parent_id", id).await?.id),
        };
        let message = NewMessage {
            parts: content.parts,
            tool_calls: content.tool_calls,
            tool_call_id: content.tool_call_id,
            parent,
            sender,
            metadata: new.metadata.into(),
            ..NewMessage::text(new.role, content.text)
        };
        let (session, mut written) = append(&tx, &self.0.clock, session, vec![message]).await?;
        tx.commit().await?;
        self.said(&session);
        written.pop().ok_or_else(|| Error::internal("a message was written and is not there"))
    }

    /// One message.
    pub async fn get_message(&self, scope: &Scope, id: MessageId) -> Result<Model> {
        let tx = self.0.db.read(scope).await?;
        let message = tx.get::<Entity>(id).await?.ok_or_else(missing)?;
        access::get(&tx, message.session_id).await.map_err(hidden)?;
        Ok(message)
    }

    /// Changes what a message says, or its metadata.
    pub async fn update_message(
        &self,
        scope: &Scope,
        id: MessageId,
        version: &IfMatch,
        new: MessageUpdate,
    ) -> Result<Model> {
        new.metadata.as_ref().map_or(Ok(()), checks::metadata)?;
        let tx = self.0.db.write(scope).await?;
        let (session, old) = locked(&tx, id).await?;
        crate::chat_sessions::update::require_active(&session)?;
        version.check(&etag(old.updated_at))?;
        if old.deleted_at.is_some() {
            return Err(Error::new(Kind::Conflict, "wrong_state", "this message is deleted"));
        }
        let role = old.role;
        let updated_at = next_version(old.updated_at, self.0.clock.now());
        let mut row = old.into_active_model();
        if let Some(content) = new.content {
            let (text, parts) = said(role, content)?;
            row.content = Set(text);
            row.parts = Set(parts);
        }
        new.metadata.map(|metadata| row.metadata = Set(metadata.into()));
        row.updated_at = Set(updated_at);
        let message = tx.update(row).await?;
        summaries::forget(&tx, session.id, message.sequence_number).await?;
        self.changed(tx, &session).await?;
        Ok(message)
    }

    /// Deletes what a message says. Its number and its place stay, as others follow it.
    pub async fn delete_message(&self, scope: &Scope, id: MessageId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let (session, old) = locked(&tx, id).await?;
        if old.deleted_at.is_some() {
            return Ok(());
        }
        let updated_at = next_version(old.updated_at, self.0.clock.now());
        let mut row = old.into_active_model();
        row.content = Set(String::new());
        row.parts = Set(None);
        row.tool_calls = Set(None);
        row.metadata = Set(json!({}));
        row.deleted_at = Set(Some(updated_at));
        row.updated_at = Set(updated_at);
        let message = tx.update(row).await?;
        summaries::forget(&tx, session.id, message.sequence_number).await?;
        let deleted = || NewJob::new(ForgetMessage::KIND, Deleted { session_id: session.id, message_id: id });
        enqueue(&tx, &self.0.clock, deleted()).await?;
        // what is under way is on record when it has ended
        enqueue(&tx, &self.0.clock, deleted().at(self.0.clock.now() + LATE)).await?;
        self.changed(tx, &session).await
    }

    /// Announces a change of what a session says, commits, and tells this process.
    pub(crate) async fn changed<R>(&self, tx: Tx<R>, session: &sessions::Model) -> Result<()> {
        notices::announce(&tx, &self.0.clock, super::TOPIC, session.id.0, session.user_id).await?;
        tx.commit().await?;
        self.said(session);
        Ok(())
    }

    /// Tells this process, at once, that a session says something else: to be called after the commit of what
    /// [`append`] wrote. Other processes find the notice that it left.
    pub(crate) fn said(&self, session: &sessions::Model) {
        self.0.notices.publish(&Notice {
            tenant: session.tenant_id,
            topic: super::TOPIC.to_owned(),
            subject: session.id.0,
            owner: session.user_id,
        });
    }
}

/// Who wrote a message. Who sees only their own sessions writes in their own name.
fn sender(scope: &Scope, role: Role, given: Option<UserId>) -> Result<Option<UserId>> {
    match (access::own_only(scope), given) {
        (Some(own), Some(given)) if given != own => Err(Error::forbidden(ALL).with_param("sender_id")),
        (_, Some(given)) => Ok(Some(given)),
        (_, None) => Ok(scope.user.filter(|_| role == Role::User)),
    }
}

/// A message of a session; a fault of the parameter if there is none.
pub(crate) async fn of_session<R>(
    tx: &Tx<R>,
    session: &sessions::Model,
    param: &str,
    id: MessageId,
) -> Result<Model> {
    let message = tx.get::<Entity>(id).await?.filter(|message| message.session_id == session.id);
    message.ok_or_else(|| Error::invalid(param, "there is no such message in this session"))
}

/// A message with its session, both locked: the session first, as everybody does.
async fn locked<R>(tx: &Tx<R>, id: MessageId) -> Result<(sessions::Model, Model)> {
    let found = tx.get::<Entity>(id).await?.ok_or_else(missing)?;
    let session = access::get_locked(tx, found.session_id).await.map_err(hidden)?;
    let message = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
    Ok((session, message))
}

fn missing() -> Error {
    Error::not_found("message")
}

/// A message of a session that the caller may not see is not there.
fn hidden(error: Error) -> Error {
    if error.kind() == Kind::NotFound { missing() } else { error }
}
