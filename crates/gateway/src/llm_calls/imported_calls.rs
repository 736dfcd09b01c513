//! Imports calls that were made elsewhere or earlier into the ledger: with the same rows and sums as those of the
//! gateway.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_kernel::{LlmCallId, NodeId, ProjectId, Result, TenantId, UserId};
use loam_platform::personal::end_user_key;
use loam_providers::Usage;

use super::call_identity::SpanLinks;
use super::entity::CallState;
use super::record::{Attempt, Entry, Record};
use super::sink::rows;
use super::source::Source;
use crate::usage::rollup::Rollup;

/// A call that has ended.
#[derive(Clone, Debug)]
pub struct ImportedCall {
    /// Its id, with the time `at`.
    pub id: LlmCallId,
    /// When it started.
    pub at: DateTime<Utc>,
    /// Its final state: any but `open`.
    pub state: CallState,
    /// Name of the provider.
    pub provider: String,
    /// Name of the model at the provider.
    pub model: String,
    /// The conversation.
    pub session: Option<String>,
    /// The user.
    pub user: Option<UserId>,
    /// The application's end user.
    pub end_user: Option<String>,
    /// The project.
    pub project: Option<ProjectId>,
    /// Whether the response was streamed.
    pub streamed: bool,
    /// The provider's HTTP status; none if it did not respond.
    pub status: Option<u16>,
    /// The error message.
    pub error: Option<String>,
    /// Token usage; none without a response.
    pub usage: Option<Usage>,
    /// Its cost in nano-dollars; none without a price.
    pub cost_nano_usd: Option<i64>,
    /// Microseconds to the end of the response.
    pub latency_us: Option<i64>,
    /// Microseconds to its first byte.
    pub first_token_us: Option<i64>,
    /// Its source.
    pub source: Source,
    /// Path at the provider.
    pub endpoint: String,
    /// W3C trace id.
    pub trace_id: Option<String>,
    /// W3C span id.
    pub span_id: Option<String>,
    /// The id of its response.
    pub response_id: Option<String>,
    /// The spans that report it, of a reported call.
    pub links: Option<SpanLinks>,
    /// Packed request body.
    pub request: Option<Vec<u8>>,
    /// Packed response body.
    pub response: Option<Vec<u8>>,
}

/// Inserts calls of a tenant and adds them to the sums, in the caller's transaction. `node` must be one that nobody
/// else writes for at the same time: sums are read, added to and written back.
///
/// # Errors
/// When a month has no partition, or on a database error.
pub async fn insert_imported(
    tx: &Tx<System>,
    tenant: TenantId,
    node: NodeId,
    now: DateTime<Utc>,
    calls: Vec<ImportedCall>,
) -> Result<()> {
    let mut rollup = Rollup::default();
    let entries = calls.into_iter().map(|mut call| {
        let (source, links) = (call.source, call.links.take());
        let (request, response) = (call.request.take(), call.response.take());
        let record = call.record(tenant, node);
        rollup.add(&record, source);
        Entry { record, source, links, request, response }
    });
    tx.bulk(rows(entries.collect())?).await?;
    rollup.write(tx, now).await
}

impl ImportedCall {
    fn record(self, tenant: TenantId, node: NodeId) -> Record {
        let (created_us, latency_us) = (self.at.timestamp_micros(), self.latency_us.unwrap_or(0));
        #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
        let duration_ms = latency_us as f64 / 1000.0;
        Record {
            tenant,
            id: self.id,
            node,
            state: self.state,
            attempts: vec![Attempt {
                target: format!("{}/{}", self.provider, self.model),
                status: self.status,
                duration_ms,
                error: self.error.clone(),
            }],
            provider: self.provider,
            model: self.model,
            endpoint: self.endpoint,
            trace_id: self.trace_id,
            span_id: self.span_id,
            user: self.user,
            end_user: self.end_user.as_deref().and_then(end_user_key).map(Cow::into_owned),
            project: self.project,
            session: self.session,
            response_id: self.response_id,
            request_id: self.id.to_string(),
            streamed: self.streamed,
            status: self.status,
            error: self.error,
            usage: self.usage,
            cost_nano_usd: self.cost_nano_usd,
            latency_us: self.latency_us,
            first_token_us: self.first_token_us,
            created_us,
            updated_us: created_us + latency_us,
            ..Record::default()
        }
    }
}
