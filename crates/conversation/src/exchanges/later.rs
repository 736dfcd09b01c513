//! What was said in a call while the database was away: a note in the journal becomes a job, which reads it from the call's
//! own record.

use async_trait::async_trait;
use loam_db::{System, Tx};
use loam_gateway::hook::ConversationRef;
use loam_jobs::{Handler, JobContext, NewJob, enqueue, read_payload};
use loam_journal::Frame;
use loam_kernel::{ChatSessionId, Clock, Error, Kind, LlmCallId, Result, TenantId, UserId};
use loam_platform::drain::Sink;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Conversation;

/// The kind of a frame that says that what was said in a call is yet to be kept.
const UNKEPT: u8 = 34;

/// Which call, and which session it named.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    tenant: TenantId,
    llm_call: LlmCallId,
    name: String,
    session: Option<ChatSessionId>,
    user: Option<UserId>,
    own_only: Option<UserId>,
}

impl Note {
    fn read(frame: &Frame) -> Result<Self> {
        serde_json::from_slice(&frame.payload).map_err(Error::internal)
    }
}

impl Conversation {
    /// Leaves what was said in a call for later. The note becomes durable with the journal's next sync.
    pub(super) fn keep_later(&self, named: ConversationRef, call: LlmCallId, why: &Error) {
        let ConversationRef { tenant, user, own_only, name, session } = named;
        let note = Note { tenant, llm_call: call, name, session, user, own_only };
        let noted = serde_json::to_vec(&note).map_err(Error::internal).and_then(|note| {
            let journal = self.0.journal.as_ref().ok_or_else(|| Error::internal("there is no journal"))?;
            journal.append(UNKEPT, call.0.into_bytes(), &[&note]).map_err(Error::internal)
        });
        match noted {
            Ok(_) => {
                metrics::counter!("loam_exchanges_total", "result" => "later").increment(1);
                tracing::warn!(error = %why, llm_call.id = %call, "what was said in a call is kept in its session later");
            }
            Err(e) => lost(call, &e),
        }
    }
}

fn lost(call: LlmCallId, why: &Error) {
    metrics::counter!("loam_exchanges_total", "result" => "lost").increment(1);
    tracing::error!(error = %why, llm_call.id = %call, "what was said in a call is not in its session");
}

/// Makes jobs of the notes.
pub(crate) struct UnkeptSink(pub(crate) Clock);

#[async_trait]
impl Sink for UnkeptSink {
    fn takes(&self, kind: u8) -> bool {
        kind == UNKEPT
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        Note::read(frame).map_or(TenantId::NIL, |note| note.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        for frame in frames {
            let note = Note::read(frame)?;
            let key = note.llm_call.to_string();
            enqueue(tx, &self.0, NewJob::new(KeepExchange::KIND, note).unique(key)).await?;
        }
        Ok(())
    }
}

/// Keeps what was said in a call, later.
pub(crate) struct KeepExchange(pub(crate) Conversation);

impl KeepExchange {
    pub(crate) const KIND: &str = "conversation.keep_exchange";
}

#[async_trait]
impl Handler for KeepExchange {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, _: &JobContext, payload: Value) -> Result<()> {
        let note: Note = read_payload(payload)?;
        let call = note.llm_call;
        let Note { tenant, name, session, user, own_only, .. } = note;
        let named = ConversationRef { tenant, user, own_only, name, session };
        let exchange = match self.0.0.gateway.exchange(named, call).await {
            Ok(Some(exchange)) => exchange,
            Ok(None) => {
                lost(call, &Error::internal("the call's record doesn't hold all of what was said"));
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        match self.0.store(exchange).await {
            // the session was archived or deleted meanwhile, which no further run mends
            Err(e) if matches!(e.kind(), Kind::Conflict | Kind::NotFound) => {
                lost(call, &e);
                Ok(())
            }
            done => done,
        }
    }
}
