//! Writes checked lines: sessions and messages in bulk, in one transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use loam_db::{Bulk, OnConflict, Tenant, Tx};
use loam_kernel::{ChatSessionId, Error, MessageId, Result, Scope, TenantId, UserId};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::line::{Checked, EndLine, MessageLine, SessionLine};
use crate::chat_sessions::access;
use crate::chat_sessions::create::{DEFAULT_TITLE, NewSession, References, owner};
use crate::chat_sessions::entity::{self as sessions, SessionStatus};
use crate::history::History;
use crate::messages::content::Content;
use crate::messages::entity as messages;
use crate::messages::span::Span;
use crate::session_configs::entity as configs;

/// Permission needed for messages, in addition to the permission to import.
const WRITE_MESSAGES: &str = "messages:write";
/// Rows per bulk insert.
const FLUSH: usize = 1000;

/// A session that lines refer to.
struct OpenSession {
    row: sessions::Model,
    /// Not inserted yet.
    new: bool,
    /// Inserted, but the row has changed since.
    changed: bool,
    /// Its messages in this import, by sequence number: later lines may name them as parents.
    ids: HashMap<i64, MessageId>,
}

/// An import being written.
pub(super) struct Writer<'a> {
    history: &'a History,
    scope: &'a Scope,
    tx: Tx<Tenant>,
    now: DateTime<Utc>,
    open: HashMap<ChatSessionId, OpenSession>,
    /// Sessions by the name that messages use for them.
    names: HashMap<String, ChatSessionId>,
    messages: Vec<messages::Model>,
    configs: Vec<configs::Model>,
    /// References that have been checked and exist.
    checked_references: HashSet<References>,
    users: HashMap<String, UserId>,
    pub(super) count: EndLine,
}

impl<'a> Writer<'a> {
    pub(super) async fn begin(history: &'a History, scope: &'a Scope) -> Result<Self> {
        Ok(Self {
            history,
            scope,
            tx: history.0.db.write(scope).await?,
            now: history.0.clock.now(),
            open: HashMap::new(),
            names: HashMap::new(),
            messages: Vec::new(),
            configs: Vec::new(),
            checked_references: HashSet::new(),
            users: HashMap::new(),
            count: EndLine::default(),
        })
    }

    /// Adds a line. A rejected line changes nothing.
    pub(super) async fn write_line(&mut self, line: Checked) -> Result<()> {
        match line {
            Checked::Session(line) => self.session(*line).await?,
            Checked::Message(line, content) => self.message(*line, content).await?,
            Checked::End(_) => {}
        }
        if self.messages.len() >= FLUSH || self.configs.len() >= FLUSH {
            self.flush().await?;
        }
        Ok(())
    }

    async fn session(&mut self, line: SessionLine) -> Result<()> {
        let user = self.user(&line).await?;
        let references = References {
            user: user.filter(|_| user != self.scope.user),
            project: line.project_id,
            provider: line.provider_id,
        };
        self.check(references).await?;
        if let Some(id) = line.id
            && (self.open.contains_key(&id) || self.tx.get::<sessions::Entity>(id).await?.is_some())
        {
            return Err(Error::already_exists("id", "a session with this id already exists"));
        }
        if let Some(external_id) = &line.external_id
            && (self.names.contains_key(external_id) || self.by_external_id(external_id).await?.is_some())
        {
            return Err(Error::already_exists(
                "external_id",
                "a session with this external_id already exists",
            ));
        }
        let at = line.created_at.unwrap_or(self.now);
        let id = line.id.unwrap_or_else(|| ChatSessionId(self.history.0.clock.id_at(at)));
        let row = NewSession {
            id,
            user,
            project: line.project_id.or(self.scope.project),
            channel: None,
            external_id: line.external_id,
            title: line.title.unwrap_or_else(|| DEFAULT_TITLE.to_owned()),
            provider: line.provider_id,
            model: line.model,
            system_prompt: line.system_prompt,
            status: line.status.unwrap_or(SessionStatus::Active),
            metadata: line.metadata.into(),
            at,
        };
        let row = row.row();
        for (key, value) in line.configs {
            self.configs.push(configs::Model {
                tenant_id: TenantId::NIL,
                id: self.history.0.clock.id(),
                session_id: id,
                key,
                value: value.into(),
                created_at: at,
                updated_at: at,
            });
        }
        self.names.extend(row.external_id.iter().map(|name| (name.clone(), id)));
        self.names.insert(id.to_string(), id);
        self.open.insert(id, OpenSession { row, new: true, changed: true, ids: HashMap::new() });
        self.count.sessions += 1;
        Ok(())
    }

    async fn message(&mut self, line: MessageLine, content: Content) -> Result<()> {
        self.scope.require(WRITE_MESSAGES)?;
        let id = self.find(&line.session).await?;
        if let Some(sender) = line.sender_id {
            match access::own_only(self.scope) {
                Some(own) if own != sender => {
                    return Err(Error::forbidden(access::ALL).with_param("sender_id"));
                }
                Some(_) => {}
                None => {
                    let user = References { user: Some(sender), ..References::default() };
                    self.check(user).await.map_err(|e| {
                        if e.param() == Some("user_id") { e.with_param("sender_id") } else { e }
                    })?;
                }
            }
        }
        let not_open = || Error::internal("a session of an import is not open");
        let open = self.open.get(&id).ok_or_else(not_open)?;
        let number = open.row.message_count + 1;
        if let Some(given) = line.sequence_number.filter(|given| *given != number) {
            let message = format!("is {given}, but the next message of this session is number {number}");
            return Err(Error::invalid("sequence_number", message));
        }
        let parent = match line.parent {
            None => open.row.head_id,
            Some(None) => None,
            Some(Some(number)) => match open.ids.get(&number) {
                Some(id) => Some(*id),
                None => Some(self.by_number(&open.row, number).await?),
            },
        };
        let at = line.created_at.unwrap_or(self.now);
        let message = messages::Model {
            tenant_id: TenantId::NIL,
            id: MessageId(self.history.0.clock.id_at(at)),
            session_id: id,
            turn_id: None,
            parent_id: parent,
            sender_id: line.sender_id,
            sequence_number: number,
            role: line.role,
            content: content.text,
            parts: content.parts,
            tool_calls: content.tool_calls,
            tool_call_id: content.tool_call_id,
            model: line.model,
            prompt_tokens: line.prompt_tokens,
            completion_tokens: line.completion_tokens,
            llm_call_id: None,
            finish_reason: line.finish_reason,
            metadata: line.metadata.into(),
            deleted_at: line.deleted_at,
            created_at: at,
            updated_at: at,
        };
        let open = self.open.get_mut(&id).ok_or_else(not_open)?;
        open.changed = true;
        open.ids.insert(number, message.id);
        let row = &mut open.row;
        row.message_count = number;
        row.head_id = Some(message.id);
        row.first_message_at = Some(row.first_message_at.map_or(at, |first| first.min(at)));
        row.last_message_at = Some(row.last_message_at.map_or(at, |last| last.max(at)));
        row.last_activity = row.last_activity.max(at);
        self.messages.push(message);
        self.count.messages += 1;
        Ok(())
    }

    /// The user that a session line names.
    async fn user(&mut self, line: &SessionLine) -> Result<Option<UserId>> {
        let named = match &line.user_external_id {
            None => line.user_id,
            Some(external_id) => match self.users.get(external_id) {
                Some(user) => Some(*user),
                None => {
                    let user = self.history.0.identity.user_of_external_id(&self.tx, external_id).await?;
                    let user =
                        user.ok_or_else(|| Error::invalid("user_external_id", "there is no such user"))?;
                    self.users.insert(external_id.clone(), user);
                    Some(user)
                }
            },
        };
        // A session without a user belongs to the application, unless the caller may only create their own
        // sessions.
        let given = named.map(Some).or_else(|| access::own_only(self.scope).is_none().then_some(None));
        owner(self.scope, given)
    }

    async fn check(&mut self, references: References) -> Result<()> {
        if references != References::default() && !self.checked_references.contains(&references) {
            self.history.0.sessions.check_references(&self.tx, references).await?;
            self.checked_references.insert(references);
        }
        Ok(())
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<sessions::Model>> {
        let of_name = sessions::Column::ExternalId.eq(external_id);
        self.tx.find::<sessions::Entity>().filter(of_name).locked().one().await
    }

    /// The session that a message refers to: one of the file, or an existing one that the caller may see.
    async fn find(&mut self, name: &str) -> Result<ChatSessionId> {
        if let Some(id) = self.names.get(name) {
            return Ok(*id);
        }
        let found = match (self.by_external_id(name).await?, name.parse::<ChatSessionId>()) {
            (Some(session), _) => Some(session),
            (None, Ok(id)) => self.tx.get_locked::<sessions::Entity>(id).await?,
            (None, Err(_)) => None,
        };
        let missing = |_| {
            Error::invalid("session", "names neither a session of an earlier line nor an existing session")
        };
        let row = access::visible(self.scope, found).map_err(missing)?;
        // Archived sessions are accepted too: an import brings in past messages, possibly in several parts.
        let id = row.id;
        self.names.insert(name.to_owned(), id);
        // If it was named differently before, it is open already and newer than its row.
        let open = || OpenSession { row, new: false, changed: false, ids: HashMap::new() };
        self.open.entry(id).or_insert_with(open);
        Ok(id)
    }

    /// A message stored before this import, by its sequence number.
    async fn by_number(&self, session: &sessions::Model, number: i64) -> Result<MessageId> {
        let missing =
            || Error::invalid("parent", format!("there is no message number {number} in this session yet"));
        let span = Span::of_session(session).ok_or_else(missing)?;
        let find = self.tx.find::<messages::Entity>().filter(messages::Column::SessionId.eq(session.id));
        let find =
            find.within_ids(span.from, span.before).filter(messages::Column::SequenceNumber.eq(number));
        find.one().await?.map(|message| message.id).ok_or_else(missing)
    }

    /// Writes the collected rows.
    async fn flush(&mut self) -> Result<()> {
        let mut new = Vec::new();
        for open in self.open.values_mut().filter(|open| open.changed) {
            open.changed = false;
            if std::mem::take(&mut open.new) {
                new.push(open.row.clone());
            } else {
                let row: sessions::ActiveModel = open.row.clone().into_active_model().reset_all();
                self.tx.update(row).await?;
            }
        }
        self.insert::<sessions::Entity>(new).await.map_err(session_conflict)?;
        let (configs, messages) = (std::mem::take(&mut self.configs), std::mem::take(&mut self.messages));
        self.insert::<configs::Entity>(configs).await?;
        self.insert::<messages::Entity>(messages).await
    }

    async fn insert<E: EntityTrait>(&self, rows: Vec<E::Model>) -> Result<()>
    where
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        self.tx.bulk(Bulk::models::<E>(rows, OnConflict::Fail)).await
    }

    /// Writes the remaining rows. The caller commits the transaction.
    pub(super) async fn finish(mut self) -> Result<Tx<Tenant>> {
        self.flush().await?;
        Ok(self.tx)
    }
}

/// The error for a session of the file that another request created during the import.
fn session_conflict(error: Error) -> Error {
    let message = "another request created a session of this file during the import; check the existing sessions, then import again";
    loam_db::already_exists("external_id", message)(error)
}
