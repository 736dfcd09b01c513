//! Writing lines that have been checked: sessions and messages in bulk, in one transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{ChatSessionId, Error, MessageId, Result, Scope, TenantId, UserId};
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter};

use super::line::{Checked, EndLine, MessageLine, SessionLine};
use super::rows;
use crate::Conversation;
use crate::chat_sessions::access;
use crate::chat_sessions::create::{NewSession, References, TITLE, owner};
use crate::chat_sessions::entity::{self as sessions, SessionStatus};
use crate::messages::content::Content;
use crate::messages::entity as messages;
use crate::messages::span::Span;
use crate::session_configs::entity as configs;

/// What messages take beside the permission to import.
const WRITE: &str = "messages:write";
/// Messages that are written at once.
const FLUSH: usize = 1000;

/// A session that lines are about.
struct Open {
    row: sessions::Model,
    /// Not written yet at all.
    new: bool,
    /// Written, but not as it is now.
    changed: bool,
    /// Its messages of this import, by number: others may follow them.
    ids: HashMap<i64, MessageId>,
}

/// What is being written.
pub(super) struct Writer<'a> {
    conversation: &'a Conversation,
    scope: &'a Scope,
    tx: Tx<Tenant>,
    now: DateTime<Utc>,
    open: HashMap<ChatSessionId, Open>,
    /// Sessions by what messages call them.
    names: HashMap<String, ChatSessionId>,
    messages: Vec<messages::Model>,
    configs: Vec<configs::Model>,
    /// What has been looked up already, and is there.
    known: HashSet<References>,
    users: HashMap<String, UserId>,
    pub(super) count: EndLine,
}

impl<'a> Writer<'a> {
    pub(super) async fn begin(conversation: &'a Conversation, scope: &'a Scope) -> Result<Self> {
        Ok(Self {
            conversation,
            scope,
            tx: conversation.0.db.write(scope).await?,
            now: conversation.0.clock.now(),
            open: HashMap::new(),
            names: HashMap::new(),
            messages: Vec::new(),
            configs: Vec::new(),
            known: HashSet::new(),
            users: HashMap::new(),
            count: EndLine::default(),
        })
    }

    /// Takes a line. One that is refused has changed nothing.
    pub(super) async fn take(&mut self, line: Checked) -> Result<()> {
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
            return Err(Error::taken("id", "there is a session with this id already"));
        }
        if let Some(external_id) = &line.external_id
            && (self.names.contains_key(external_id) || self.by_external_id(external_id).await?.is_some())
        {
            return Err(Error::taken("external_id", "there is a session with this external_id already"));
        }
        let at = line.created_at.unwrap_or(self.now);
        let id = line.id.unwrap_or_else(|| ChatSessionId(self.conversation.0.clock.id_at(at)));
        let row = NewSession {
            id,
            user,
            project: line.project_id.or(self.scope.project),
            channel: None,
            external_id: line.external_id,
            title: line.title.unwrap_or_else(|| TITLE.to_owned()),
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
                id: self.conversation.0.clock.id(),
                session_id: id,
                key,
                value,
                created_at: at,
                updated_at: at,
            });
        }
        self.names.extend(row.external_id.iter().map(|name| (name.clone(), id)));
        self.names.insert(id.to_string(), id);
        self.open.insert(id, Open { row, new: true, changed: true, ids: HashMap::new() });
        self.count.sessions += 1;
        Ok(())
    }

    async fn message(&mut self, line: MessageLine, content: Content) -> Result<()> {
        self.scope.require(WRITE)?;
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
        let gone = || Error::internal("a session of an import is not open");
        let open = self.open.get(&id).ok_or_else(gone)?;
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
            id: MessageId(self.conversation.0.clock.id_at(at)),
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
        let open = self.open.get_mut(&id).ok_or_else(gone)?;
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

    /// Whose a session of the file is.
    async fn user(&mut self, line: &SessionLine) -> Result<Option<UserId>> {
        let named = match &line.user_external_id {
            None => line.user_id,
            Some(external_id) => match self.users.get(external_id) {
                Some(user) => Some(*user),
                None => {
                    let user =
                        self.conversation.0.identity.user_of_external_id(&self.tx, external_id).await?;
                    let user =
                        user.ok_or_else(|| Error::invalid("user_external_id", "there is no such user"))?;
                    self.users.insert(external_id.clone(), user);
                    Some(user)
                }
            },
        };
        // a session without a user is nobody's, unless who sends it has none but their own
        let given = named.map(Some).or_else(|| access::own_only(self.scope).is_none().then_some(None));
        owner(self.scope, given)
    }

    async fn check(&mut self, references: References) -> Result<()> {
        if references != References::default() && !self.known.contains(&references) {
            self.conversation.check_references(&self.tx, references).await?;
            self.known.insert(references);
        }
        Ok(())
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<sessions::Model>> {
        let of_name = sessions::Column::ExternalId.eq(external_id);
        self.tx.find::<sessions::Entity>().filter(of_name).locked().one().await
    }

    /// The session that a message names: one of the file, or one that is there and open to the caller.
    async fn find(&mut self, name: &str) -> Result<ChatSessionId> {
        if let Some(id) = self.names.get(name) {
            return Ok(*id);
        }
        let found = match (self.by_external_id(name).await?, name.parse::<ChatSessionId>()) {
            (Some(session), _) => Some(session),
            (None, Ok(id)) => self.tx.get_locked::<sessions::Entity>(id).await?,
            (None, Err(_)) => None,
        };
        let missing = |_| Error::invalid("session", "is of no line before, and there is no such session");
        let row = access::visible(self.scope, found).map_err(missing)?;
        // archived or not: this is the past, which an import may bring in parts
        let id = row.id;
        self.names.insert(name.to_owned(), id);
        // called by its other name before, it is open already, and further on than its row
        let open = || Open { row, new: false, changed: false, ids: HashMap::new() };
        self.open.entry(id).or_insert_with(open);
        Ok(id)
    }

    /// A message of before, by its number.
    async fn by_number(&self, session: &sessions::Model, number: i64) -> Result<MessageId> {
        let missing =
            || Error::invalid("parent", format!("there is no message number {number} in this session yet"));
        let span = Span::of_session(session).ok_or_else(missing)?;
        let find = self.tx.find::<messages::Entity>().filter(messages::Column::SessionId.eq(session.id));
        let find =
            find.within_ids(span.from, span.before).filter(messages::Column::SequenceNumber.eq(number));
        find.one().await?.map(|message| message.id).ok_or_else(missing)
    }

    /// Writes what has been taken.
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
        self.tx.bulk(rows::of_sessions(&new)).await.map_err(rows::overtaken)?;
        self.tx.bulk(rows::of_configs(&std::mem::take(&mut self.configs))).await?;
        self.tx.bulk(rows::of_messages(&std::mem::take(&mut self.messages))).await
    }

    /// Writes the rest; the transaction is then to be committed.
    pub(super) async fn finish(mut self) -> Result<Tx<Tenant>> {
        self.flush().await?;
        Ok(self.tx)
    }
}
