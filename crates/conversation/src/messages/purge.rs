//! Purges the content of a deleted message outside its own row: from later calls of its session, each of
//! which repeats it, from the stream of its turn, and from the records of the requests that carried it.

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{ChatSessionId, Error, MessageId, Result, Scope};
use loam_platform::personal::{Cursor, PersonQuery, PersonalDataStore, RecordedBetween};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::entity::{Column, Entity, Model};
use crate::messages::Messages;
use crate::turns::purge_stream;

/// Maximum number of child messages checked for the call that they came from.
const MAX_CHILDREN: u64 = 100;
/// A request that carried the message is recorded within this time after the message was written.
const RECORDED_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Delay of a second run, for calls that were in progress.
pub(super) const RECHECK_DELAY: TimeDelta = TimeDelta::minutes(2);

#[derive(Serialize, Deserialize)]
pub(super) struct DeletedMessage {
    pub(super) session_id: ChatSessionId,
    pub(super) message_id: MessageId,
}

/// Purges the content of deleted messages.
pub(crate) struct PurgeMessage(pub(crate) Messages);

impl PurgeMessage {
    pub(super) const KIND: &'static str = "messages.forget";

    /// The first call that may contain the message: the one that produced it, or the first one that sent it.
    async fn first_call(&self, scope: &Scope, message: &Model) -> Result<Uuid> {
        let tx = self.0.0.db.read(scope).await?;
        let children = tx
            .find::<Entity>()
            .filter(Column::SessionId.eq(message.session_id))
            .filter(Column::SequenceNumber.gt(message.sequence_number))
            .filter(Column::ParentId.eq(message.id))
            .limit(MAX_CHILDREN);
        let calls = children.all().await?.into_iter().filter_map(|row| Some(row.llm_call_id?.0));
        let own = [message.llm_call_id.map(|id| id.0), message.turn_id.map(|id| id.0)];
        Ok(calls.chain(own.into_iter().flatten()).chain([message.id.0]).min().unwrap_or_default())
    }
}

#[async_trait]
impl Handler for PurgeMessage {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let DeletedMessage { session_id, message_id } = read_payload(payload)?;
        let (inner, scope) = (&self.0.0, job.scope());
        let message = inner.db.read(&scope).await?.get::<Entity>(message_id).await?;
        // A deleted session is purged as a whole.
        let Some(message) = message else { return Ok(()) };
        let mut from = Some(self.first_call(&scope, &message).await?);
        while let Some(at) = from.filter(|_| !job.is_cancelled()) {
            let tx = inner.db.write(&scope).await?;
            from = loam_gateway::personal::empty_calls_from(&tx, session_id, at).await?;
            tx.commit().await?;
        }
        let recorded = RecordedBetween::new(message.created_at, message.created_at + RECORDED_WITHIN);
        let (who, mut at) = (PersonQuery::of_id(message_id.0), Some(Cursor::default()));
        while let Some(from) = at.filter(|_| !job.is_cancelled()) {
            let tx = inner.db.write(&scope).await?;
            at = recorded.remove(&tx, &who, from).await?.next;
            tx.commit().await?;
        }
        let Some(turn) = message.turn_id else { return Ok(()) };
        let tx = inner.db.write(&scope).await?;
        if !purge_stream(&tx, turn, inner.clock.now()).await? {
            let message =
                "the turn of a deleted message is still running; its stream is purged when it has ended";
            return Err(Error::unavailable("turn_running", message, std::time::Duration::from_secs(5)));
        }
        tx.commit().await
    }
}
