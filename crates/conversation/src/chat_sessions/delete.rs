//! Deleting sessions: the session at once, its messages by a job.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{Tenant, Tx};
use loam_jobs::{Handler, JobContext, NewJob, enqueue, read_payload};
use loam_kernel::{ChatSessionId, Clock, Result, Scope, UserId};
use loam_platform::notices::{self, Notice};
use loam_platform::personal::{Cursor, RecordedBetween, Store, Who};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access;
use super::entity::{Column, Entity, Model};
use crate::messages::span::Span;
use crate::{Conversation, messages, personal};

/// Messages a transaction: few enough that nobody waits long for it.
const BATCH: u64 = 1000;
/// Sessions that are looked for at once.
const SESSIONS: u64 = 100;
/// When it is looked again for calls of a session that is gone.
const LATE: TimeDelta = TimeDelta::minutes(2);

/// Which messages are left of a session that is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
        let told = json!({ "message_count": session.message_count });
        let notice = self.session_changed(&tx, "delete", &session, told).await?;
        self.0.changes.commit(tx, notice).await
    }
}

/// Takes a session away, and sees to its messages and to what is on record of it.
async fn remove(tx: &Tx<Tenant>, clock: &Clock, session: &Model) -> Result<()> {
    // found by the session, which takes them along
    let who = Who::session(session.id);
    for store in personal::of_session() {
        let mut at = Some(Cursor::default());
        while let Some(from) = at {
            at = store.remove(tx, &who, from).await?.next;
        }
    }
    tx.delete::<Entity>().filter(Column::Id.eq(session.id)).exec().await?;
    // tools may have been tried in a session without messages
    let left = Left {
        session_id: session.id,
        first_message_at: session.first_message_at.unwrap_or(session.created_at),
        last_message_at: session.last_message_at.unwrap_or(session.created_at),
    };
    // an answer may be under way: what comes of it is on record when it has ended
    let late = NewJob::new(DeleteMessages::KIND, left.clone()).at(clock.now() + LATE);
    enqueue(tx, clock, NewJob::new(DeleteMessages::KIND, left)).await?;
    enqueue(tx, clock, late).await?;
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
        // bodies of its calls, uses of its tools, and what is on record of requests in which it is named
        let recorded = RecordedBetween::new(left.first_message_at, self.0.0.clock.now());
        let stores = loam_gateway::personal::stores().into_iter().filter(|store| !store.looks_at_all());
        for store in stores.chain([Arc::new(recorded) as Arc<dyn Store>]) {
            let (who, mut at) = (Who::session(left.session_id), Some(Cursor::default()));
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

/// Deletes the sessions of a user who is gone: work that a version before erasures left.
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
