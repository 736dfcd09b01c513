//! Exports histories chunk by chunk, so that memory use does not depend on their length.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use futures_util::Stream;
use loam_db::{Tenant, Tx};
use loam_kernel::{Error, MessageId, Result, Scope, UserId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use super::line::{EndLine, Line, MessageLine, SessionLine};
use crate::chat_sessions::{ChatSessionFilter, entity as sessions};
use crate::history::History;
use crate::messages::entity as messages;
use crate::messages::span::Span;
use crate::session_configs::service::settings;

/// Permission needed for messages, in addition to the permission to export.
const READ_MESSAGES: &str = "messages:read";
/// Sessions per query.
const SESSIONS: u64 = 50;
/// Messages per query: a single one may have megabytes.
const MESSAGES: u64 = 100;
/// Target size of a chunk in bytes; a chunk may exceed it slightly.
const CHUNK: usize = 64 << 10;

/// An export in progress.
pub struct Export {
    history: History,
    scope: Scope,
    filter: ChatSessionFilter,
    after: Uuid,
    pending: VecDeque<sessions::Model>,
    /// The application's ids of the users of the pending sessions.
    users: HashMap<UserId, String>,
    current: Option<Current>,
    count: EndLine,
    ended: bool,
}

/// The session whose messages are exported next.
struct Current {
    session: sessions::Model,
    name: String,
    number: i64,
    last: Option<MessageId>,
}

impl History {
    /// Starts an export of the sessions that the caller may see, oldest first, with their settings and
    /// messages.
    pub fn export(&self, scope: &Scope, filter: ChatSessionFilter) -> Export {
        Export {
            history: self.clone(),
            scope: scope.clone(),
            filter,
            after: Uuid::nil(),
            pending: VecDeque::new(),
            users: HashMap::new(),
            current: None,
            count: EndLine::default(),
            ended: false,
        }
    }
}

impl Export {
    /// Number of sessions and messages exported so far.
    pub fn count(&self) -> (u64, u64) {
        (self.count.sessions, self.count.messages)
    }

    /// The next chunk of lines; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let mut lines = Vec::new();
        let tx = self.history.0.db.read(&self.scope).await?;
        while lines.len() < CHUNK {
            if let Some(current) = &mut self.current {
                let rows = current.read(&tx, &mut lines).await?;
                self.count.messages += rows;
                if rows == 0 {
                    self.current = None;
                }
            } else if let Some(session) = self.pending.pop_front() {
                self.begin_session(&tx, session, &mut lines).await?;
            } else if !self.load_sessions(&tx).await? {
                self.ended = true;
                write_line(&mut lines, &Line::End(self.count))?;
                break;
            }
        }
        Ok(Some(lines.into()))
    }

    /// Turns the export into a response body. If the database fails midway, the stream ends without its last
    /// line.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        futures_util::stream::try_unfold(self, async |mut export| {
            Ok(export.next().await?.map(|lines| (lines, export)))
        })
    }

    /// Loads the next sessions. Returns whether there are any.
    async fn load_sessions(&mut self, tx: &Tx<Tenant>) -> Result<bool> {
        let find = self.filter.apply(&self.scope, tx.find::<sessions::Entity>())?;
        let find = find.filter(sessions::Column::Id.gt(self.after)).order_by_asc(sessions::Column::Id);
        let rows = find.limit(SESSIONS).all().await?;
        let users: Vec<UserId> = rows.iter().filter_map(|session| session.user_id).collect();
        self.users = self.history.0.identity.external_ids(tx, &users).await?;
        self.after = rows.last().map_or(self.after, |last| last.id.0);
        self.pending = rows.into();
        Ok(!self.pending.is_empty())
    }

    async fn begin_session(
        &mut self,
        tx: &Tx<Tenant>,
        session: sessions::Model,
        lines: &mut Vec<u8>,
    ) -> Result<()> {
        let row = session.clone();
        let begin = SessionLine {
            id: Some(row.id),
            external_id: row.external_id,
            user_external_id: row.user_id.and_then(|user| self.users.get(&user).cloned()),
            user_id: row.user_id,
            project_id: row.project_id,
            title: Some(row.title),
            provider_id: row.provider_id,
            model: row.model,
            system_prompt: row.system_prompt,
            status: Some(row.status),
            metadata: object(row.metadata),
            configs: settings(tx, row.id).await?,
            created_at: Some(row.created_at),
        };
        write_line(lines, &Line::Session(Box::new(begin)))?;
        self.count.sessions += 1;
        let name = session.external_id.clone().unwrap_or_else(|| session.id.to_string());
        if !self.scope.permissions().allows(READ_MESSAGES) {
            return Ok(());
        }
        self.current = Some(Current { session, name, number: 0, last: None });
        Ok(())
    }
}

impl Current {
    /// Writes the next messages. Returns how many.
    async fn read(&mut self, tx: &Tx<Tenant>, lines: &mut Vec<u8>) -> Result<u64> {
        let Some(span) = Span::of_session(&self.session) else { return Ok(0) };
        let find = tx.find::<messages::Entity>().filter(messages::Column::SessionId.eq(self.session.id));
        let find =
            find.within_ids(span.from, span.before).filter(messages::Column::SequenceNumber.gt(self.number));
        let rows = find.order_by_asc(messages::Column::SequenceNumber).limit(MESSAGES).all().await?;
        let count = rows.len() as u64;
        for row in rows {
            let parent = match row.parent_id {
                parent if parent == self.last => None,
                None => Some(None),
                // The conversation branches here.
                Some(parent) => {
                    let parent = tx.get::<messages::Entity>(parent).await?;
                    Some(parent.map(|parent| parent.sequence_number))
                }
            };
            (self.number, self.last) = (row.sequence_number, Some(row.id));
            write_line(lines, &Line::Message(Box::new(message_line(&self.name, parent, row))))?;
        }
        Ok(count)
    }
}

fn message_line(session: &str, parent: Option<Option<i64>>, row: messages::Model) -> MessageLine {
    let content = match (row.deleted_at, row.parts) {
        (Some(_), _) => None,
        (None, Some(parts)) => Some(parts),
        (None, None) => Some(Value::String(row.content)),
    };
    MessageLine {
        session: session.to_owned(),
        sequence_number: Some(row.sequence_number),
        parent,
        role: row.role,
        content,
        tool_calls: row.tool_calls,
        tool_call_id: row.tool_call_id,
        sender_id: row.sender_id,
        model: row.model,
        prompt_tokens: row.prompt_tokens,
        completion_tokens: row.completion_tokens,
        finish_reason: row.finish_reason,
        metadata: object(row.metadata),
        created_at: Some(row.created_at),
        deleted_at: row.deleted_at,
    }
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    }
}

fn write_line(lines: &mut Vec<u8>, value: &Line) -> Result<()> {
    serde_json::to_writer(&mut *lines, value).map_err(Error::internal)?;
    lines.push(b'\n');
    Ok(())
}
