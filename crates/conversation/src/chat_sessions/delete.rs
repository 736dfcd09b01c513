//! Deletes sessions: the row at once, the messages in a job.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{Tenant, Tx};
use loam_jobs::{Handler, JobContext, NewJob, enqueue, read_payload};
use loam_kernel::{ChatSessionId, Clock, Result, Scope, UserId};
use loam_platform::notices::{self, Notice};
use loam_platform::personal::{Cursor, PersonQuery, PersonalDataStore, RecordedBetween};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access;
use super::entity::{Column, Entity, Model};
use crate::chat_sessions::Sessions;
use crate::messages::span::Span;
use crate::{messages, personal};

/// Messages per transaction: small enough that it does not block others for long.
const BATCH: u64 = 1000;
/// Sessions per query.
const SESSIONS: u64 = 100;
/// Delay of a second run, for calls that were in progress.
const RECHECK_DELAY: TimeDelta = TimeDelta::minutes(2);

/// The messages that a deleted session leaves to delete.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct RemainingMessages {
    session_id: ChatSessionId,
    first_message_at: DateTime<Utc>,
    last_message_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DeletedUser {
    user_id: UserId,
}

impl Sessions {
    /// Deletes a session with its settings and turns; its messages are deleted by a job.
    pub async fn delete_session(&self, scope: &Scope, id: ChatSessionId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let session = access::get_locked(&tx, id).await?;
        remove(&tx, &self.0.clock, &session).await?;
        let changes = json!({ "message_count": session.message_count });
        let notice = self.session_changed(&tx, "delete", &session, changes).await?;
        self.0.changes.commit(tx, notice).await
    }
}

/// Deletes a session, and enqueues the deletion of its messages and of records about it.
async fn remove(tx: &Tx<Tenant>, clock: &Clock, session: &Model) -> Result<()> {
    // Rows that are found only through the session.
    let who = PersonQuery::session(session.id);
    for store in personal::found_by_session() {
        let mut at = Some(Cursor::default());
        while let Some(from) = at {
            at = store.remove(tx, &who, from).await?.next;
        }
    }
    tx.delete::<Entity>().filter(Column::Id.eq(session.id)).exec().await?;
    // A session without messages may still have tool calls from tests.
    let remaining = RemainingMessages {
        session_id: session.id,
        first_message_at: session.first_message_at.unwrap_or(session.created_at),
        last_message_at: session.last_message_at.unwrap_or(session.created_at),
    };
    // Calls in progress are recorded when they end.
    let recheck = NewJob::new(DeleteMessages::KIND, remaining.clone()).at(clock.now() + RECHECK_DELAY);
    enqueue(tx, clock, NewJob::new(DeleteMessages::KIND, remaining)).await?;
    enqueue(tx, clock, recheck).await?;
    Ok(())
}

/// Deletes the messages of a deleted session, and the records of its tool calls.
pub(crate) struct DeleteMessages(pub(crate) Sessions);

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
        let remaining: RemainingMessages = read_payload(payload)?;
        let span = Span::of(remaining.first_message_at, remaining.last_message_at).condition();
        let span = span.add(Column::SessionId.eq(remaining.session_id));
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
        // Bodies of its calls, its tool calls, and records of requests that name it.
        let recorded = RecordedBetween::new(remaining.first_message_at, self.0.0.clock.now());
        let stores = loam_gateway::personal::stores().into_iter().filter(|store| !store.scans_tenant());
        for store in stores.chain([Arc::new(recorded) as Arc<dyn PersonalDataStore>]) {
            let (who, mut at) = (PersonQuery::session(remaining.session_id), Some(Cursor::default()));
            while let Some(from) = at.filter(|_| !job.is_cancelled()) {
                let tx = self.0.0.db.write(&job.scope()).await?;
                at = store.remove(&tx, &who, from).await?.next;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Number {
    sequence_number: i64,
}

/// Deletes the sessions of a deleted user. Only for jobs enqueued by versions without erasures.
pub(crate) struct DeleteUsersSessions(pub(crate) Sessions);

impl DeleteUsersSessions {
    const KIND: &'static str = "users.delete_chat_sessions";

    /// Deletes a session in its own transaction, unless it is deleted or has another owner by now.
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
        let DeletedUser { user_id } = read_payload(payload)?;
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
