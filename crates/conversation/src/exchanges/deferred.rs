//! Deferred recording: while the database is unavailable, a journal entry is written, which becomes a job
//! that reads the messages from the call's own record.

use async_trait::async_trait;
use loam_db::{System, Tx};
use loam_gateway::hook::ConversationRef;
use loam_jobs::{Handler, JobContext, NewJob, enqueue, read_payload};
use loam_journal::Frame;
use loam_kernel::{ChatSessionId, Clock, Error, Kind, LlmCallId, Result, TenantId, UserId};
use loam_platform::drain::Sink;
use loam_platform::stored_format::StoredFormat;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchanges::Exchanges;

/// The frame kind of an exchange that is yet to be recorded.
const DEFERRED: u8 = 34;

/// The payload of its frame. Version 1 is JSON without a version.
pub(crate) const DEFERRED_EXCHANGE_FRAME: StoredFormat =
    StoredFormat::new("deferred_exchange_frame", 2).first_unversioned();

/// The call, and the session it named. The order of the fields is the format of frames.
#[derive(Debug, Serialize, Deserialize)]
struct DeferredExchange {
    tenant: TenantId,
    llm_call: LlmCallId,
    name: String,
    session: Option<ChatSessionId>,
    user: Option<UserId>,
    own_only: Option<UserId>,
}

/// The payload of the job: ids only. The name of the session is read from the call's record, which an erasure empties.
#[derive(Debug, Serialize, Deserialize)]
struct RecordedCall {
    tenant: TenantId,
    llm_call: LlmCallId,
    session: Option<ChatSessionId>,
    user: Option<UserId>,
    own_only: Option<UserId>,
}

impl DeferredExchange {
    fn into_job(self) -> RecordedCall {
        let Self { tenant, llm_call, name: _, session, user, own_only } = self;
        RecordedCall { tenant, llm_call, session, user, own_only }
    }

    fn decode(payload: &[u8]) -> Result<Self> {
        match DEFERRED_EXCHANGE_FRAME.open(payload)? {
            (1, body) => serde_json::from_slice(body).map_err(|_| DEFERRED_EXCHANGE_FRAME.damaged()),
            (_, body) => DEFERRED_EXCHANGE_FRAME.decode(body),
        }
    }
}

impl Exchanges {
    /// Defers recording. The entry becomes durable with the journal's next sync.
    pub(super) fn defer_exchange(&self, named: ConversationRef, call: LlmCallId, cause: &Error) {
        let ConversationRef { tenant, user, own_only, name, session } = named;
        let deferred = DeferredExchange { tenant, llm_call: call, name, session, user, own_only };
        let appended = DEFERRED_EXCHANGE_FRAME.encode(&deferred).and_then(|deferred| {
            let journal = self.0.journal.as_ref().ok_or_else(|| Error::internal("there is no journal"))?;
            journal.append(DEFERRED, call.0.into_bytes(), &[&deferred]).map_err(Error::internal)
        });
        match appended {
            Ok(_) => {
                metrics::counter!("loam_exchanges_total", "result" => "later").increment(1);
                tracing::warn!(error = %cause, llm_call.id = %call, "recording the messages of a call in its session is deferred");
            }
            Err(e) => log_lost(call, &e),
        }
    }
}

fn log_lost(call: LlmCallId, cause: &Error) {
    metrics::counter!("loam_exchanges_total", "result" => "lost").increment(1);
    tracing::error!(error = %cause, llm_call.id = %call, "the messages of a call are missing in its session");
}

/// Enqueues a job for each deferred exchange.
pub(crate) struct DeferredExchangeSink(pub(crate) Clock);

#[async_trait]
impl Sink for DeferredExchangeSink {
    fn takes(&self, kind: u8) -> bool {
        kind == DEFERRED
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        DeferredExchange::decode(&frame.payload).map_or(TenantId::NIL, |deferred| deferred.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        for frame in frames {
            let deferred = DeferredExchange::decode(&frame.payload)?;
            let key = deferred.llm_call.to_string();
            let job = NewJob::new(RecordExchange::KIND, deferred.into_job()).unique(key);
            enqueue(tx, &self.0, job).await?;
        }
        Ok(())
    }
}

/// Records a deferred exchange.
pub(crate) struct RecordExchange(pub(crate) Exchanges);

impl RecordExchange {
    pub(crate) const KIND: &str = "conversation.keep_exchange";
}

#[async_trait]
impl Handler for RecordExchange {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, _: &JobContext, payload: Value) -> Result<()> {
        let RecordedCall { tenant, llm_call: call, session, user, own_only } = read_payload(payload)?;
        let named = |name| ConversationRef { tenant, user, own_only, name, session };
        let exchange = match self.0.0.gateway.exchange(tenant, call, named).await {
            Ok(Some(exchange)) => exchange,
            Ok(None) => {
                log_lost(call, &Error::internal("the call's record does not contain all of its messages"));
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        match self.0.store_exchange(exchange).await {
            // The session was archived or deleted since; a retry can't fix that.
            Err(e) if matches!(e.kind(), Kind::Conflict | Kind::NotFound) => {
                log_lost(call, &e);
                Ok(())
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use loam_testkit::check_golden;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn all_versions_of_frames_are_read() {
        let id = Uuid::from_u128;
        let deferred = DeferredExchange {
            tenant: id(1).into(),
            llm_call: id(2).into(),
            name: "talk".to_owned(),
            session: Some(id(3).into()),
            user: Some(id(4).into()),
            own_only: Some(id(5).into()),
        };
        let frame = DEFERRED_EXCHANGE_FRAME.encode(&deferred).expect("encoded");
        check_golden(DEFERRED_EXCHANGE_FRAME.kind(), DEFERRED_EXCHANGE_FRAME.versions(), &frame, |payload| {
            format!("{:#?}", DeferredExchange::decode(payload).expect("read"))
        });
        let of_an_earlier_version = serde_json::to_value(&deferred).expect("a payload");
        let job = serde_json::to_value(deferred.into_job()).expect("a payload");
        assert!(job.get("name").is_none(), "the payload of a job has no text of a person");
        for job in [job, of_an_earlier_version] {
            assert!(read_payload::<RecordedCall>(job).is_ok(), "the job reads what the sink writes");
        }
    }
}
