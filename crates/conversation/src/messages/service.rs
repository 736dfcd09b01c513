//! Creates, updates and deletes messages.

use loam_db::Tx;
use loam_http::surface::present;
use loam_jobs::{NewJob, enqueue};
use loam_kernel::{
    ChatSessionId, Error, ExpectedVersion, Kind, MessageId, Result, Scope, UserId, etag, next_version,
};
use loam_platform::notices::{self, Notice};
use sea_orm::{IntoActiveModel, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::append::{NewMessage, Parent, append};
use super::content::{Content, parse_content};
use super::entity::{Entity, Model, Role};
use super::purge::{DeletedMessage, PurgeMessage, RECHECK_DELAY};
use super::schemas::{ChatToolCall, MessageContent};
use crate::chat_sessions::access::{self, ALL};
use crate::chat_sessions::create::References;
use crate::chat_sessions::entity as sessions;
use crate::chat_sessions::update::get_active;
use crate::checks;
use crate::context::summaries;
use crate::messages::Messages;

/// A message to append to a session.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageCreate {
    /// Session ID.
    pub session_id: ChatSessionId,
    /// Role of the author.
    pub role: Role,
    /// A string of at most 1 MiB, or a list of OpenAI's content parts (`text`; for role `user` also
    /// `image_url`, `input_audio` and `file`) of at most 8 MiB. Optional with `tool_calls`.
    #[serde(default)]
    #[schema(value_type = Option<MessageContent>)]
    pub content: Option<Value>,
    /// ID of the parent message. Defaults to the session's head; null starts a new branch without a parent.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<MessageId>)]
    pub parent_id: Option<Option<MessageId>>,
    /// OpenAI's `tool_calls`, only for role `assistant`.
    #[schema(value_type = Option<Vec<ChatToolCall>>)]
    pub tool_calls: Option<Value>,
    /// ID of the tool call that it answers, only for role `tool`.
    pub tool_call_id: Option<String>,
    /// ID of the user who wrote it. For role `user` it defaults to the caller.
    pub sender_id: Option<UserId>,
    /// Your own data; never interpreted. At most 64 kB.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a message. Omitted fields keep their values.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageUpdate {
    /// New content: a string, or a list of content parts.
    #[schema(value_type = Option<MessageContent>)]
    pub content: Option<Value>,
    /// Fields of your own data to change; null removes a field. Never interpreted. At most 64 kB in all.
    pub metadata: Option<Map<String, Value>>,
}

impl Messages {
    /// Appends a message to a session.
    pub async fn create_message(&self, scope: &Scope, new: MessageCreate) -> Result<Model> {
        checks::metadata(&new.metadata)?;
        let content = Content::check(new.role, new.content, new.tool_calls, new.tool_call_id)?;
        let sender = sender(scope, new.role, new.sender_id)?;
        let _lock = self.0.session_locks.acquire(scope.tenant(), new.session_id).await?;
        let tx = self.0.db.write(scope).await?;
        let session = get_active(&tx, new.session_id).await?;
        let unknown = References { user: sender.filter(|_| sender != scope.user), ..References::default() };
        self.0
            .sessions
            .check_references(&tx, unknown)
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
        self.notify_changed(&session);
        written.pop().ok_or_else(|| Error::internal("a message that was just written is missing"))
    }

    /// A message.
    pub async fn get_message(&self, scope: &Scope, id: MessageId) -> Result<Model> {
        let tx = self.0.db.read(scope).await?;
        let message = tx.get::<Entity>(id).await?.ok_or_else(missing)?;
        access::get(&tx, message.session_id).await.map_err(hidden)?;
        Ok(message)
    }

    /// Changes the content or the metadata of a message.
    pub async fn update_message(
        &self,
        scope: &Scope,
        id: MessageId,
        version: &ExpectedVersion,
        new: MessageUpdate,
    ) -> Result<Model> {
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
            let (text, parts) = parse_content(role, content)?;
            row.content = Set(text);
            row.parts = Set(parts);
        }
        if let Some(change) = new.metadata {
            row.metadata = Set(checks::merged_metadata(row.metadata.as_ref(), change)?);
        }
        row.updated_at = Set(updated_at);
        let message = tx.update(row).await?;
        summaries::delete_covering(&tx, session.id, message.sequence_number).await?;
        self.commit_changed(tx, &session).await?;
        Ok(message)
    }

    /// Deletes the content of a message. The row and its number are kept, because other messages follow it.
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
        summaries::delete_covering(&tx, session.id, message.sequence_number).await?;
        let deleted =
            || NewJob::new(PurgeMessage::KIND, DeletedMessage { session_id: session.id, message_id: id });
        enqueue(&tx, &self.0.clock, deleted()).await?;
        // Calls in progress are recorded when they end.
        enqueue(&tx, &self.0.clock, deleted().at(self.0.clock.now() + RECHECK_DELAY)).await?;
        self.commit_changed(tx, &session).await
    }

    /// Announces a change of a session's messages, commits, and notifies this process.
    pub(crate) async fn commit_changed<R>(&self, tx: Tx<R>, session: &sessions::Model) -> Result<()> {
        notices::announce(&tx, &self.0.clock, super::entity::TOPIC, session.id.0, session.user_id).await?;
        tx.commit().await?;
        self.notify_changed(session);
        Ok(())
    }

    /// Notifies this process at once that a session's messages changed. Call it after the commit of what
    /// [`append`] wrote. Other processes read the notice that [`append`] left.
    pub(crate) fn notify_changed(&self, session: &sessions::Model) {
        self.0.notices.publish(&Notice {
            tenant: session.tenant_id,
            topic: super::entity::TOPIC.to_owned(),
            subject: session.id.0,
            owner: session.user_id,
            id: None,
        });
    }
}

/// The author of a message. A caller who sees only their own sessions can only write in their own name.
fn sender(scope: &Scope, role: Role, given: Option<UserId>) -> Result<Option<UserId>> {
    match (access::own_only(scope), given) {
        (Some(own), Some(given)) if given != own => Err(Error::forbidden(ALL).with_param("sender_id")),
        (_, Some(given)) => Ok(Some(given)),
        (_, None) => Ok(scope.user.filter(|_| role == Role::User)),
    }
}

/// A message of a session; an error naming `param` if there is none.
pub(crate) async fn of_session<R>(
    tx: &Tx<R>,
    session: &sessions::Model,
    param: &str,
    id: MessageId,
) -> Result<Model> {
    let message = tx.get::<Entity>(id).await?.filter(|message| message.session_id == session.id);
    message.ok_or_else(|| Error::invalid(param, "no such message in this session"))
}

/// A message and its session, both locked. The session is locked first, as everywhere.
async fn locked<R>(tx: &Tx<R>, id: MessageId) -> Result<(sessions::Model, Model)> {
    let found = tx.get::<Entity>(id).await?.ok_or_else(missing)?;
    let session = access::get_locked(tx, found.session_id).await.map_err(hidden)?;
    let message = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
    Ok((session, message))
}

fn missing() -> Error {
    Error::not_found("message")
}

/// A message of a session that the caller may not see is reported as not found.
fn hidden(error: Error) -> Error {
    if error.kind() == Kind::NotFound { missing() } else { error }
}
