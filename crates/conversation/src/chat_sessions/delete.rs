//! Deleting sessions: the session at once, its messages by a job.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_jobs::{Handler, JobContext, NewJob, enqueue, read_payload};
use loam_kernel::{ChatSessionId, Clock, Result, Scope, UserId};
use loam_platform::notices::{self, Notice};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access;
use super::entity::{Column, Entity, Model};
use crate::messages::span::Span;
use crate::{Conversation, messages};

/// Messages a transaction: few enough that nobody waits long for it.
const BATCH: u64 = 1000;
/// Sessions that are looked for at once.
const SESSIONS: u64 = 100;

/// Which messages are left of a session that is gone.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    session_id: ChatSessionId,
    first_message_at: DateTime<Utc>,
    last_message_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Orphaned {
    user_id: UserId,
}

impl Conversation {
    /// Deletes a session with its settings and turns, and by and by its messages.
    pub async fn delete_session(&self, scope: &Scope, id: ChatSessionId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, id).await?;
        remove(&tx, &self.0.clock, &session).await?;
        let told = json!({ "title": session.title, "message_count": session.message_count });
        let notice = self.session_changed(&tx, "delete", &session, told).await?;
        self.0.changes.commit(tx, notice).await
    }
}

/// Takes a session away, and sees to its messages.
async fn remove(tx: &Tx<Tenant>, clock: &Clock, session: &Model) -> Result<()> {
    tx.delete::<Entity>().filter(Column::Id.eq(session.id)).exec().await?;
    // tools may have been tried in a session without messages
    let left = Left {
        session_id: session.id,
        first_message_at: session.first_message_at.unwrap_or(session.created_at),
        last_message_at: session.last_message_at.unwrap_or(session.created_at),
    };
    enqueue(tx, clock, NewJob::new(DeleteMessages::KIND, left)).await?;
    Ok(())
}

/// Deletes the messages of a session that is gone, and what is on record of its tools.
pub(crate) struct DeleteMessages(pub(crate) Conversation);

impl DeleteMessages {
    const KIND: &'static str = "chat_sessions.delete_messages";
}

#[async_trait]
impl Handler for DeleteMessages {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        use messages::entity::{Column, Entity};
        let left: Left = read_payload(payload)?;
        let span = Span::of(left.first_message_at, left.last_message_at).condition();
        let span = span.add(Column::SessionId.eq(left.session_id));
        while !job.is_cancelled() {
            let tx = self.0.0.db.write(&job.scope()).await?;
            let numbers: Vec<i64> = tx
                .find::<Entity>()
                .filter(span.clone())
                .select_only()
                .column(Column::SequenceNumber)
                .order_by_asc(Column::SequenceNumber)
                .limit(BATCH)
                .into::<Number>()
                .await?
                .into_iter()
                .map(|row| row.sequence_number)
                .collect();
            let Some(last) = numbers.last() else { break };
            let upto = Column::SequenceNumber.lte(*last);
            tx.delete::<Entity>().filter(span.clone()).filter(upto).exec().await?;
            tx.commit().await?;
        }
        while !job.is_cancelled() {
            let tx = self.0.0.db.write(&job.scope()).await?;
            let deleted = self.0.0.gateway.delete_tool_calls(&tx, left.session_id, BATCH).await?;
            tx.commit().await?;
            if deleted < BATCH {
                break;
            }
        }
        Ok(())
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Number {
    sequence_number: i64,
}

/// Sees to the sessions of users that are deleted.
pub(crate) struct UsersSessions(pub(crate) Clock);

#[async_trait]
impl loam_identity::UserDependents for UsersSessions {
    async fn user_deleted(&self, tx: &Tx<Tenant>, user: UserId) -> Result<()> {
        enqueue(tx, &self.0, NewJob::new(DeleteUsersSessions::KIND, Orphaned { user_id: user })).await?;
        Ok(())
    }
}

/// Deletes the sessions of a user who is gone.
pub(crate) struct DeleteUsersSessions(pub(crate) Conversation);

impl DeleteUsersSessions {
    const KIND: &'static str = "users.delete_chat_sessions";

    /// One session in a transaction of its own, unless it is gone or somebody else's meanwhile.
    async fn delete(&self, scope: &Scope, id: ChatSessionId, user: UserId) -> Result<Option<Notice>> {
        let inner = &self.0.0;
        let tx = inner.db.write(scope).await?;
        let session = tx.get_locked::<Entity>(id).await?;
        let Some(session) = session.filter(|session| session.user_id == Some(user)) else { return Ok(None) };
        remove(&tx, &inner.clock, &session).await?;
        let notice = notices::announce(&tx, &inner.clock, super::TOPIC, id.0, Some(user)).await?;
        tx.commit().await?;
        Ok(Some(notice))
    }
}

#[async_trait]
impl Handler for DeleteUsersSessions {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let Orphaned { user_id } = read_payload(payload)?;
        let (inner, scope) = (&self.0.0, job.scope());
        while !job.is_cancelled() {
            let tx = inner.db.read(&scope).await?;
            let of_user = tx.find::<Entity>().filter(Column::UserId.eq(user_id));
            let sessions = of_user.limit(SESSIONS).all().await?;
            drop(tx);
            if sessions.is_empty() {
                break;
            }
            for session in sessions {
                let notice = self.delete(&scope, session.id, user_id).await?;
                notice.iter().for_each(|notice| inner.notices.publish(notice));
            }
        }
        Ok(())
    }
}
