//! What a message said, beyond its own row: in the calls of its session from then on, each of which repeats it, in the
//! stream of its turn, and in what is on record of the requests that brought it.

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{ChatSessionId, Error, MessageId, Result, Scope};
use loam_platform::personal::{Cursor, RecordedBetween, Store, Who};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::entity::{Column, Entity, Model};
use crate::Conversation;
use crate::turns::forget_stream;

/// Messages that follow one which are looked at: each may know the call that it came from.
const FOLLOWING: u64 = 100;
/// A message is shown when it is written, and what shows it later is on record within so long.
const AFTER: TimeDelta = TimeDelta::minutes(10);

/// When it is looked again for what was under way.
pub(super) const LATE: TimeDelta = TimeDelta::minutes(2);

#[derive(Serialize, Deserialize)]
pub(super) struct Deleted {
    pub(super) session_id: ChatSessionId,
    pub(super) message_id: MessageId,
}

/// Forgets what deleted messages said.
pub(crate) struct ForgetMessage(pub(crate) Conversation);

impl ForgetMessage {
    pub(super) const KIND: &'static str = "messages.forget";

    /// The first call that may have it: the one that it came from, or that it went out with.
    async fn first_call(&self, scope: &Scope, message: &Model) -> Result<Uuid> {
        let tx = self.0.0.db.read(scope).await?;
        let following = tx
            .find::<Entity>()
            .filter(Column::SessionId.eq(message.session_id))
            .filter(Column::SequenceNumber.gt(message.sequence_number))
            .filter(Column::ParentId.eq(message.id))
            .limit(FOLLOWING);
        let calls = following.all().await?.into_iter().filter_map(|row| Some(row.llm_call_id?.0));
        let own = [message.llm_call_id.map(|id| id.0), message.turn_id.map(|id| id.0)];
        Ok(calls.chain(own.into_iter().flatten()).chain([message.id.0]).min().unwrap_or_default())
    }
}

#[async_trait]
impl Handler for ForgetMessage {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let Deleted { session_id, message_id } = read_payload(payload)?;
        let (inner, scope) = (&self.0.0, job.scope());
        let message = inner.db.read(&scope).await?.get::<Entity>(message_id).await?;
        // with its session all of it goes
        let Some(message) = message else { return Ok(()) };
        let mut from = Some(self.first_call(&scope, &message).await?);
        while let Some(at) = from.filter(|_| !job.is_cancelled()) {
            let tx = inner.db.write(&scope).await?;
            from = loam_gateway::personal::empty_calls_from(&tx, session_id, at).await?;
            tx.commit().await?;
        }
        let recorded = RecordedBetween::new(message.created_at, message.created_at + AFTER);
        let (who, mut at) = (Who::of_id(message_id.0), Some(Cursor::default()));
        while let Some(from) = at.filter(|_| !job.is_cancelled()) {
            let tx = inner.db.write(&scope).await?;
            at = recorded.remove(&tx, &who, from).await?.next;
            tx.commit().await?;
        }
        let Some(turn) = message.turn_id else { return Ok(()) };
        let tx = inner.db.write(&scope).await?;
        if !forget_stream(&tx, turn, inner.clock.now()).await? {
            let message =
                "the turn of a deleted message is still running; its stream is forgotten when it has ended";
            return Err(Error::unavailable("turn_running", message, std::time::Duration::from_secs(5)));
        }
        tx.commit().await
    }
}
